/* Functions that use the CPU, called by others, and how much of it each used by the process's own clock: `hot` by way of `often` and of
 * `seldom`, `warm` by way of `seldom`, the kernel by way of `asks`. Each round is of another length than the one before: rounds of one
 * length that is a multiple of the sampler's period would be sampled at the same places of each. */
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))

static volatile int calls; /* what comes behind a call, so that none is a jump */
static char zeros[1 << 20];

static long long used_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

KEPT void hot(long turns)
{
	for (volatile long i = 0; i < turns; i++)
		;
}

KEPT void warm(long turns)
{
	for (volatile long i = 0; i < turns; i++)
		;
}

KEPT void often(int size)
{
	hot(size * 3000000L);
	calls++;
}

KEPT void seldom(int size, long long *hot_ns, long long *warm_ns)
{
	long long start = used_ns();
	hot(size * 1500000L);
	*hot_ns += used_ns() - start;
	start = used_ns();
	warm(size * 1000000L);
	*warm_ns += used_ns() - start;
}

KEPT void asks(int size, int zero)
{
	for (int i = 0; i < size * 14; i++)
		syscall(SYS_read, zero, zeros, sizeof(zeros));
	calls++;
}

int main(void)
{
	long long start, often_ns = 0, seldom_ns = 0, warm_ns = 0, asks_ns = 0;
	FILE *zero = fopen("/dev/zero", "r");
	if (!zero)
		return 1;
	for (int i = 0; i < 181; i++) {
		int size = 1 + i * 5 % 13;
		start = used_ns();
		often(size);
		often_ns += used_ns() - start;
		seldom(size, &seldom_ns, &warm_ns);
		start = used_ns();
		asks(size, fileno(zero));
		asks_ns += used_ns() - start;
	}
	printf("{\"hot often\": %lld, \"hot seldom\": %lld, \"warm seldom\": %lld, \"syscall asks\": %lld}\n", often_ns, seldom_ns,
	       warm_ns, asks_ns);
	return 0;
}
