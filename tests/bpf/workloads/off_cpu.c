/* Waits through known functions, a prime number of times each, timed by their own clock; and some that have no stack: short ones, and
 * page faults that another thread answers late. Each function waits for longer than a kernel runs no programs at a stretch. Usage: off_cpu MS. Prints "ready", works when told to, prints a JSON line of
 * function -> [calls, of them so long that the wait may have lasted a millisecond, what they asked for, what they took]. The C
 * library's functions for these calls use the frame pointer for other things, so the calls are made without them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))
#define MS 1000000L

enum function { NAPS_BY_DAY, NAPS_BY_NIGHT, LOCK, NETWORK, PIPE, DOZES, FAULTS, FUNCTIONS };
static const char *const names[FUNCTIONS] = {"naps by_day", "naps by_night", "awaits_lock", "awaits_packet",
					     "awaits_pipe", "dozes",	     "touches"};
static struct {
	long calls, long_calls, asked_ns, took_ns;
} told[FUNCTIONS];
static long wait_ns;
static int packets, pipes[2], word;
static volatile int calls; /* what comes behind a call, so that none is a jump */

static long now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static struct timespec time_of(long ns)
{
	struct timespec time = {.tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L};
	return time;
}

/* How often this thread has left the CPU by itself. */
static long departures(void)
{
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

/* The moment before a call, and how often its thread had left the CPU until then. */
struct before {
	long began_ns, departures;
};

static struct before before_call(void)
{
	struct before before = {.departures = departures()};
	before.began_ns = now_ns();
	return before;
}

/* On a slow processor the time may be over before the thread has left it: then it has not waited, and the call does not count. */
static void tell(enum function function, long asked_ns, struct before before)
{
	long took_ns = now_ns() - before.began_ns;
	if (departures() == before.departures)
		return;
	__atomic_fetch_add(&told[function].calls, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&told[function].long_calls, took_ns >= MS, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&told[function].asked_ns, asked_ns, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&told[function].took_ns, took_ns, __ATOMIC_SEQ_CST);
}

KEPT void naps(enum function caller)
{
	struct before before = before_call();
	struct timespec time = time_of(wait_ns);
	syscall(SYS_nanosleep, &time, 0);
	tell(caller, wait_ns, before);
	calls++;
}

KEPT void by_day(void)
{
	for (int i = 0; i < 37; i++)
		naps(NAPS_BY_DAY);
	calls++;
}

KEPT void by_night(void)
{
	for (int i = 0; i < 61; i++)
		naps(NAPS_BY_NIGHT);
	calls++;
}

KEPT void awaits_lock(void)
{
	struct timespec time = time_of(wait_ns);
	for (int i = 0; i < 53; i++) {
		struct before before = before_call();
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, 0, 0);
		tell(LOCK, wait_ns, before);
	}
	calls++;
}

KEPT void awaits_packet(void)
{
	char byte;
	for (int i = 0; i < 83; i++) {
		struct before before = before_call();
		syscall(SYS_recvfrom, packets, &byte, 1, 0, 0, 0);
		tell(NETWORK, wait_ns, before);
	}
	calls++;
}

KEPT void awaits_pipe(void)
{
	struct pollfd set = {.fd = pipes[0], .events = POLLIN};
	for (int i = 0; i < 29; i++) {
		struct before before = before_call();
		struct timespec time = time_of(wait_ns);
		syscall(SYS_ppoll, &set, 1, &time, 0, 0);
		tell(PIPE, wait_ns, before);
	}
	calls++;
}

KEPT void dozes(void)
{
	struct timespec time = time_of(50000);
	for (int i = 0; i < 29; i++) {
		struct before before = before_call();
		syscall(SYS_nanosleep, &time, 0);
		tell(DOZES, 50000, before);
	}
	calls++;
}

KEPT void innocent(void)
{
	for (int i = 0; i < 100; i++)
		syscall(SYS_getppid);
	calls++;
}

static int faults;

static void *answers(void *unused)
{
	struct uffd_msg message;
	while (read(faults, &message, sizeof(message)) == sizeof(message)) {
		struct timespec time = time_of(wait_ns);
		syscall(SYS_nanosleep, &time, 0);
		struct uffdio_zeropage page = {.range = {message.arg.pagefault.address & ~4095UL, 4096}};
		ioctl(faults, UFFDIO_ZEROPAGE, &page);
	}
	return unused;
}

KEPT void touches(void)
{
	pthread_t thread;
	struct uffdio_api api = {.api = UFFD_API};
	char *memory = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register range = {.range = {(unsigned long)memory, 3 * 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (faults < 0 || ioctl(faults, UFFDIO_API, &api) || ioctl(faults, UFFDIO_REGISTER, &range))
		return;
	pthread_create(&thread, 0, answers, 0);
	for (int i = 0; i < 3; i++) {
		struct before before = before_call();
		((volatile char *)memory)[i * 4096] = 1;
		innocent();
		tell(FAULTS, wait_ns, before);
	}
	calls++;
}

static void *works(void *unused)
{
	by_day();
	by_night();
	return unused;
}

int main(int count, char **arguments)
{
	pthread_t thread;
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	wait_ns = count == 2 ? atol(arguments[1]) * MS : 0;
	struct timeval patience = {.tv_sec = wait_ns / 1000000000L, .tv_usec = wait_ns % 1000000000L / 1000};
	packets = socket(AF_INET, SOCK_DGRAM, 0);
	if (!wait_ns || pipe(pipes) || bind(packets, (struct sockaddr *)&here, sizeof(here)) ||
	    setsockopt(packets, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return 2;
	setbuf(stdout, 0);
	puts("ready");
	if (getchar() != '\n')
		return 5;
	pthread_create(&thread, 0, works, 0);
	by_day();
	by_night();
	awaits_lock();
	awaits_packet();
	awaits_pipe();
	dozes();
	touches();
	pthread_join(thread, 0);
	for (int i = 0; i < FUNCTIONS; i++)
		printf("%s\"%s\": [%ld, %ld, %ld, %ld]", i ? ", " : "{", names[i], told[i].calls, told[i].long_calls,
		       told[i].asked_ns, told[i].took_ns);
	puts("}");
	return getchar() == '\n' ? 0 : 5;
}
