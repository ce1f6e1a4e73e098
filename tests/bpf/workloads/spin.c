/* Two functions that use the CPU, and how much of it each used by the process's own clock. */
#include <stdio.h>
#include <time.h>

#define KEPT __attribute__((noinline, noclone))

static long long used_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

KEPT void hot(void)
{
	for (volatile long i = 0; i < 30000000; i++)
		;
}

KEPT void warm(void)
{
	for (volatile long i = 0; i < 10000000; i++)
		;
}

int main(void)
{
	long long start, hot_ns = 0, warm_ns = 0;
	for (int i = 0; i < 181; i++) {
		start = used_ns();
		hot();
		hot_ns += used_ns() - start;
		start = used_ns();
		warm();
		warm_ns += used_ns() - start;
	}
	printf("{\"hot\": %lld, \"warm\": %lld}\n", hot_ns, warm_ns);
	return 0;
}
