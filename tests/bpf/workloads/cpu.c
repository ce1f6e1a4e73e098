/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that wait in known ways, or do not wait at all. It holds at its end until another line comes. Usage:
 *   cpu waits MS         one thread that waits a prime number of times for each cause, so long, timed by its own clock
 *   cpu threads COUNT    two threads that wake each other COUNT times, and three that sleep COUNT times
 *   cpu spin MS CPU      two threads on one CPU that never wait, for so long, from a second line on
 *   cpu shares MS        a process that runs all the time, and one half of the time
 *   cpu endless          a thread that runs before the start already, as one that others cannot put off its CPU
 *   cpu disk PATH COUNT  direct reads and fsyncs of a file
 */
#include "load.h"

#include <arpa/inet.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

enum cause { LOCK, NETWORK, SLEEP, OTHER, CAUSES };
static const char *const cause_names[CAUSES] = {"cpu.lock", "cpu.network", "cpu.sleep", "cpu.other"};
static struct {
    long count, asked_ns, took_ns;
} waits[CAUSES];

#define MS 1000000L
static long wait_ns;
#define WAITS(cause, times, call)                                                                                      \
    for (int turn = 0; turn < (times); turn++) {                                                                       \
        long before = now_ns();                                                                                        \
        call;                                                                                                          \
        waits[cause].count++;                                                                                          \
        waits[cause].asked_ns += wait_ns;                                                                              \
        waits[cause].took_ns += now_ns() - before;                                                                     \
    }

static struct timespec wait_time;
static char block[4096] __attribute__((aligned(4096)));

static void nap(long ns)
{
    struct timespec time = {.tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L};
    while (nanosleep(&time, &time) < 0)
        ;
}

/* A socket that nothing comes to; receives and accepts on it give up after the wait. */
static int silent_socket(int family, int type)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 name6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct timeval patience = {.tv_usec = wait_ns / 1000};
    int fd = (int)must(socket(family, type, 0), "socket");
    if (family == AF_INET)
        must(bind(fd, (struct sockaddr *)&name, sizeof(name)), "bind");
    if (family == AF_INET6)
        must(bind(fd, (struct sockaddr *)&name6, sizeof(name6)), "bind IPv6");
    if (type == SOCK_STREAM)
        must(listen(fd, 1), "listen");
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), "SO_RCVTIMEO");
    return fd;
}

static int epoll_of(const int *fds, int count)
{
    int set = (int)must(epoll_create1(0), "epoll_create1");
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        must(epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &event), "epoll_ctl");
    }
    return set;
}

static int timer_in(long ns)
{
    struct itimerspec when = {.it_value.tv_nsec = ns};
    int fd = (int)must(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd_create");
    must(timerfd_settime(fd, 0, &when, NULL), "timerfd_settime");
    return fd;
}

static void read_timer(void)
{
    int fd = timer_in(wait_ns);
    must(read(fd, block, 8), "read a timer");
    close(fd);
}

static void epoll_timer(void)
{
    int fd = timer_in(wait_ns), set = epoll_of(&fd, 1);
    struct epoll_event event;
    must(epoll_wait(set, &event, 1, -1), "epoll_wait");
    close(set);
    close(fd);
}

static void wait_sleeping(void)
{
    struct timespec time = wait_time;
    struct timeval tv = {.tv_usec = wait_ns / 1000};
    WAITS(SLEEP, 7, syscall(SYS_nanosleep, &wait_time, NULL));
    WAITS(SLEEP, 5, syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, &wait_time, NULL));
    WAITS(SLEEP, 5, syscall(SYS_ppoll, NULL, 0, (time = wait_time, &time), NULL, 0));
    WAITS(SLEEP, 3, syscall(SYS_pselect6, 0, NULL, NULL, NULL, (time = wait_time, &time), NULL));
    WAITS(SLEEP, 3, (tv.tv_usec = wait_ns / 1000, select(0, NULL, NULL, NULL, &tv)));
    WAITS(SLEEP, 5, read_timer());
    WAITS(SLEEP, 3, epoll_timer());
}

static void wait_for_locks(void)
{
    int word = 1;
    WAITS(LOCK, 11, syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &wait_time, NULL, 0));
    WAITS(LOCK, 2, syscall(SYS_futex, &word, FUTEX_WAIT, 1, &wait_time, NULL, 0));
}

static void select_one(int fd)
{
    struct timespec time = wait_time;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    must(syscall(SYS_pselect6, fd + 1, &set, NULL, NULL, &time, NULL), "pselect6");
}

static void wait_for_network(void)
{
    int udp = silent_socket(AF_INET, SOCK_DGRAM), udp6 = silent_socket(AF_INET6, SOCK_DGRAM);
    int tcp = silent_socket(AF_INET, SOCK_STREAM), pipes[11][2];
    struct pollfd polled[12];
    int fds[12];
    struct timespec time;
    struct epoll_event event;
    struct msghdr message = {0};
    for (int i = 0; i < 11; i++) {
        must(pipe(pipes[i]), "pipe");
        fds[i] = pipes[i][0];
    }
    fds[11] = tcp; /* behind descriptors that decide nothing */
    for (int i = 0; i < 12; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    int epoll = epoll_of(fds, 12);
    WAITS(NETWORK, 5, recv(udp, block, 1, 0));
    WAITS(NETWORK, 3, recv(udp6, block, 1, 0));
    WAITS(NETWORK, 3, recvmsg(udp, &message, 0));
    WAITS(NETWORK, 3, read(udp, block, 1));
    WAITS(NETWORK, 5, accept(tcp, NULL, NULL));
    WAITS(NETWORK, 5, syscall(SYS_ppoll, polled, 12, (time = wait_time, &time), NULL, 0));
    WAITS(NETWORK, 3, poll(polled, 12, wait_ns / MS));
    WAITS(NETWORK, 3, select_one(tcp));
    WAITS(NETWORK, 7, epoll_wait(epoll, &event, 1, wait_ns / MS));
}

static void wait_for_others(void)
{
    int pair[2], pipes[2], unix_set, event = (int)must(eventfd(0, 0), "eventfd");
    struct timeval patience = {.tv_usec = wait_ns / 1000};
    struct timespec time;
    struct epoll_event found;
    must(pipe(pipes), "pipe");
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    must(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), "SO_RCVTIMEO");
    struct pollfd polled[3] = {{.fd = pipes[0], .events = POLLIN}, {.fd = -1}, {.fd = event, .events = POLLIN}};
    unix_set = epoll_of((int[]){pair[0], event}, 2);
    WAITS(OTHER, 5, recv(pair[0], block, 1, 0));
    WAITS(OTHER, 3, syscall(SYS_ppoll, polled, 3, (time = wait_time, &time), NULL, 0));
    WAITS(OTHER, 5, epoll_wait(unix_set, &found, 1, wait_ns / MS));
}

static void report_waits(void)
{
    detail(",\"waits\":{");
    for (int i = 0; i < CAUSES; i++)
        detail("%s\"%s\":[%ld,%ld,%ld]", i ? "," : "", cause_names[i], waits[i].count, waits[i].asked_ns, waits[i].took_ns);
    detail("}");
}

static int stop_spinning, done;
static long turns;
static int there[2], back[2];
static pthread_barrier_t begin;

static void finished(void)
{
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &done, FUTEX_WAKE, 1, NULL, NULL, 0);
    for (;;)
        pause(); /* its counters in /proc are read while it is alive */
}

static void wait_until_finished(int count)
{
    for (int seen; (seen = __atomic_load_n(&done, __ATOMIC_SEQ_CST)) < count;)
        syscall(SYS_futex, &done, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void *first_of_two(void *unused)
{
    pthread_barrier_wait(&begin);
    for (long turn = 0; turn < turns; turn++) {
        must(write(there[1], block, 1), "write");
        must(read(back[0], block, 1), "read");
    }
    finished();
    return unused;
}

static void *second_of_two(void *unused)
{
    pthread_barrier_wait(&begin);
    for (long turn = 0; turn < turns; turn++) {
        must(read(there[0], block, 1), "read");
        must(write(back[1], block, 1), "write");
    }
    finished();
    return unused;
}

static void *sleeper(void *unused)
{
    pthread_barrier_wait(&begin);
    for (long turn = 0; turn < turns; turn++)
        nap(100000);
    finished();
    return unused;
}

static void *spinner(void *unused)
{
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&begin); /* a wait that began after the start */
    while (!__atomic_load_n(&stop_spinning, __ATOMIC_SEQ_CST))
        ;
    finished();
    return unused;
}

static void start_threads(int count, void *(*const bodies[])(void *), const cpu_set_t *cpus)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (cpus)
        pthread_attr_setaffinity_np(&attributes, sizeof(*cpus), cpus);
    pthread_barrier_init(&begin, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++)
        must(-pthread_create(&thread, &attributes, bodies[i], NULL), "pthread_create");
}

static void spin_for(long ns)
{
    for (long end = now_ns() + ns; now_ns() < end;)
        ;
}

/* Two children: one runs all the time, one half of it. Both hold until the load is let go. */
static pid_t children[2];

static void shares(long ns, const int *gate)
{
    detail(",\"pids\":[");
    for (int half = 0; half < 2; half++) {
        children[half] = fork();
        if (children[half] == 0) {
            char byte;
            must(read(gate[0], &byte, 1), "read the gate");
            for (long end = now_ns() + ns; now_ns() < end;) {
                spin_for(20 * MS);
                if (half)
                    nap(20 * MS);
            }
            must(write(back[1], block, 1), "write");
            for (;;)
                pause();
        }
        detail("%s%d", half ? "," : "", children[half]);
    }
    detail("]");
}

static void disk(const char *path, long count)
{
    int direct = (int)must(open(path, O_RDWR | O_CREAT | O_DIRECT, 0600), "open");
    must(ftruncate(direct, 64 * sizeof(block)), "ftruncate");
    for (long turn = 0; turn < count; turn++)
        must(pwrite(direct, block, sizeof(block), turn % 64 * (long)sizeof(block)), "write");
    for (long turn = 0; turn < count; turn++)
        must(pread(direct, block, sizeof(block), turn % 64 * (long)sizeof(block)), "read");
    must(fsync(direct), "fsync");
}

static void endless(void)
{
    struct sched_param priority = {.sched_priority = 1};
    void *(*const body[])(void *) = {spinner};
    cpu_set_t last;
    CPU_ZERO(&last);
    CPU_SET((int)sysconf(_SC_NPROCESSORS_ONLN) - 1, &last);
    must(sched_setscheduler(0, SCHED_FIFO, &priority), "SCHED_FIFO");
    start_threads(1, body, &last);
    priority.sched_priority = 0;
    must(sched_setscheduler(0, SCHED_OTHER, &priority), "SCHED_OTHER");
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&begin);
}

int main(int argc, char **argv)
{
    static void *(*const five[])(void *) = {first_of_two, second_of_two, sleeper, sleeper, sleeper};
    static void *(*const two[])(void *) = {spinner, spinner};
    int gate[2];
    must(argc >= 2 ? 0 : -1, "usage: see above");
    const char *mode = argv[1];
    load_prepare();
    must(pipe(there), "pipe");
    must(pipe(back), "pipe");
    must(pipe(gate), "pipe");
    if (!strcmp(mode, "threads")) {
        turns = atol(argv[2]);
        start_threads(5, five, NULL);
    } else if (!strcmp(mode, "spin")) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(atoi(argv[3]), &one);
        start_threads(2, two, &one);
    } else if (!strcmp(mode, "shares"))
        shares(atol(argv[2]) * MS, gate);
    else if (!strcmp(mode, "endless"))
        endless();
    load_start();
    if (!strcmp(mode, "waits")) {
        wait_ns = wait_time.tv_nsec = atol(argv[2]) * MS;
        wait_sleeping();
        wait_for_locks();
        wait_for_network();
        wait_for_others();
        report_waits();
    } else if (!strcmp(mode, "threads")) {
        pthread_barrier_wait(&begin);
        wait_until_finished(5);
    } else if (!strcmp(mode, "spin")) {
        pthread_barrier_wait(&begin);
        load_print();
        load_wait_for_line();
        pthread_barrier_wait(&begin);
        nap(atol(argv[2]) * MS);
        __atomic_store_n(&stop_spinning, 1, __ATOMIC_SEQ_CST);
        wait_until_finished(2);
    } else if (!strcmp(mode, "shares")) {
        must(write(gate[1], "..", 2), "write the gate");
        for (int i = 0; i < 2; i++)
            must(read(back[0], block, 1), "read");
    } else if (!strcmp(mode, "endless"))
        nap(1500 * MS);
    else if (!strcmp(mode, "disk"))
        disk(argv[2], atol(argv[3]));
    load_print();
    load_wait_for_line();
    for (int i = 0; i < 2 && children[i] > 0; i++)
        kill(children[i], SIGKILL);
    return 0;
}
