/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way in which a TCP connection attempt can end, each a prime number of times, and accepts of every kind.
 * Usage: connections [hold | interrupted]: with `hold`, it waits for another line after the JSON, so that what is under way stays
 * so; with `interrupted`, timers of the kernel's end attempts on one CPU while the program keeps making others there.
 *
 * It expects a network namespace of its own with `lo` up, the routes `unreachable 198.51.100.0/24`, `prohibit 203.0.113.0/24` and no
 * default route, and (for `neighbour`) a link with 192.0.2.1/24 on which nobody else answers.
 */
#include "load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TIMES(n) for (int turn = 0; turn < (n); turn++)

struct address {
    struct sockaddr_storage name;
    socklen_t size;
};

static struct address four(const char *text, int port)
{
    struct address address = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in *name = (struct sockaddr_in *)&address.name;
    name->sin_family = AF_INET;
    name->sin_port = htons((unsigned short)port);
    inet_pton(AF_INET, text, &name->sin_addr);
    return address;
}

static struct address six(const char *text, int port)
{
    struct address address = {.size = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *name = (struct sockaddr_in6 *)&address.name;
    name->sin6_family = AF_INET6;
    name->sin6_port = htons((unsigned short)port);
    inet_pton(AF_INET6, text, &name->sin6_addr);
    return address;
}

static int stream(const struct address *to, int flags)
{
    return (int)must(socket(to->name.ss_family, SOCK_STREAM | flags, 0), "socket");
}

static int dial(int fd, const struct address *to)
{
    return connect(fd, (const struct sockaddr *)&to->name, to->size);
}

static int listening(const struct address *at, int backlog)
{
    int fd = stream(at, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    must(bind(fd, (const struct sockaddr *)&at->name, at->size), "bind");
    must(listen(fd, backlog), "listen");
    return fd;
}

struct target {
    struct address address;
    unsigned long attempts, failed, established;
};

static struct target targets[64];

/* Attempts are counted by what became of them, in all and by target. */
static struct target *tried(const struct address *to)
{
    struct target *target = targets;
    while (target->attempts > 0 && memcmp(&target->address, to, sizeof(*to)) != 0)
        target++;
    target->address = *to;
    target->attempts++;
    add(&load->tallies[CONNECTIONS_ATTEMPT].count, 1);
    return target;
}

static void established(const struct address *to)
{
    tried(to)->established++;
    add(&load->tallies[CONNECTIONS_HANDSHAKE].count, 1);
}

static void failed(const struct address *to, int number)
{
    tried(to)->failed++;
    add(&load->tallies[CONNECTIONS_FAILURE].count, 1);
    record_apart(CONNECTIONS_FAILURE, number); /* 0: closed by the program while it was under way */
}

static void print_targets(void)
{
    detail(",\"targets\":[");
    for (struct target *target = targets; target->attempts > 0; target++) {
        struct sockaddr_in *name = (struct sockaddr_in *)&target->address.name;
        struct sockaddr_in6 *name6 = (struct sockaddr_in6 *)name;
        char text[INET6_ADDRSTRLEN] = "";
        if (name->sin_family == AF_UNIX) /* an attempt with an address that is none */
            continue;
        inet_ntop(name->sin_family, name->sin_family == AF_INET ? (void *)&name->sin_addr : (void *)&name6->sin6_addr, text,
                  sizeof(text));
        detail("%s[\"%s\",%d,%lu,%lu,%lu]", target == targets ? "" : ",", text, ntohs(name->sin_port), target->attempts,
               target->failed, target->established);
    }
    detail("]");
}

/* A blocking attempt, counted by its result. */
static int attempt(const struct address *to)
{
    int fd = stream(to, 0);
    if (dial(fd, to) == 0)
        established(to);
    else
        failed(to, errno);
    return fd;
}

static void wait_for(int fd, short events)
{
    struct pollfd poller = {.fd = fd, .events = events};
    must(poll(&poller, 1, -1), "poll");
}

/* An attempt that does not wait, counted by what the socket says when it is done. */
static int patient_attempt(const struct address *to, int *number)
{
    int fd = stream(to, SOCK_NONBLOCK);
    socklen_t size = sizeof(*number);
    if (dial(fd, to) == 0) {
        established(to);
        *number = 0;
        return fd;
    }
    must(errno == EINPROGRESS ? 0 : -1, "connect");
    wait_for(fd, POLLOUT);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, number, &size);
    if (*number == 0)
        established(to);
    else
        failed(to, *number);
    return fd;
}

static void accept_counted(int listener, int new_call)
{
#ifndef SYS_accept
    new_call = 1;
#define SYS_accept SYS_accept4
#endif
    long fd = new_call ? syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC) : syscall(SYS_accept, listener, NULL, NULL);
    if (fd < 0)
        return;
    record(CONNECTIONS_ACCEPT, fd);
    load_close((int)fd);
}

static void successes(const struct address *to)
{
    int number, listener = listening(to, 5);
    TIMES(7) { int fd = attempt(to); accept_counted(listener, turn % 2); load_close(fd); }
    TIMES(5) { int fd = patient_attempt(to, &number); accept_counted(listener, 1); load_close(fd); }
    int again = patient_attempt(to, &number);
    TIMES(3) dial(again, to); /* 0 or EISCONN: no further attempts */
    accept_counted(listener, 0);
    load_close(again);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    TIMES(3) accept_counted(listener, 1); /* would block */
    load_close(listener);
}

static void refusals(const struct address *to)
{
    int number;
    TIMES(7) load_close(attempt(to));
    TIMES(5) load_close(patient_attempt(to, &number));
    TIMES(3) /* the second connect() only fetches the error of the first attempt; the third is a new one */
    {
        int fd = stream(to, SOCK_NONBLOCK);
        must(dial(fd, to) < 0 && errno == EINPROGRESS ? 0 : -1, "connect");
        wait_for(fd, POLLOUT);
        dial(fd, to);
        failed(to, errno);
        fcntl(fd, F_SETFL, 0);
        must(dial(fd, to) < 0 ? 0 : -1, "connect");
        failed(to, errno);
        load_close(fd);
    }
    int fd = attempt(to), listener = listening(to, 3); /* the same socket succeeds once somebody listens */
    must(dial(fd, to), "connect again");
    established(to);
    accept_counted(listener, 1);
    load_close(fd);
    load_close(listener);
}

/* These calls fail before a packet is sent; some before the socket enters SYN_SENT, some after. */
static void immediate_failures(void)
{
    struct address no_route = four("100.64.0.1", 80), refused_route = four("198.51.100.7", 80), no_route6 = six("2001:db8::1", 80);
    struct address prohibited = four("203.0.113.7", 80), local = four("127.0.0.1", 4100), own = four("127.0.0.1", 4101);
    struct address wrong_family = {.size = sizeof(struct sockaddr_un)};
    TIMES(7) load_close(attempt(&no_route));      /* ENETUNREACH */
    TIMES(5) load_close(attempt(&no_route6));     /* ENETUNREACH */
    TIMES(3) load_close(attempt(&refused_route)); /* EHOSTUNREACH */
    TIMES(2) load_close(attempt(&prohibited));    /* EACCES */
    wrong_family.name.ss_family = AF_UNIX;
    int fd = stream(&local, 0);
    must(dial(fd, &wrong_family) < 0 ? 0 : -1, "connect"); /* EAFNOSUPPORT */
    failed(&wrong_family, errno);
    load_close(fd);

    /* The same pair of addresses twice: EADDRNOTAVAIL. */
    int listener = listening(&local, 5), one = 1, first = stream(&local, 0);
    setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    must(bind(first, (struct sockaddr *)&own.name, own.size), "bind");
    must(dial(first, &local), "connect");
    established(&local);
    TIMES(3)
    {
        int second = stream(&local, 0);
        setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        must(bind(second, (struct sockaddr *)&own.name, own.size), "bind");
        must(dial(second, &local) < 0 ? 0 : -1, "connect");
        failed(&local, errno);
        load_close(second);
    }
    accept_counted(listener, 1);
    load_close(first);
    load_close(listener);
}

/* A listener whose queue is full drops further SYNs: an attempt stays under way until it gives up. */
static int full_listener(const struct address *at)
{
    int listener = listening(at, 0);
    load_close(attempt(at));
    return listener;
}

static void slow_failures(void)
{
    struct address full = four("127.0.0.1", 4200), full6 = six("::1", 4201), silent = four("192.0.2.99", 80);
    unsigned int patience_ms = 100;
    int listeners[2] = {full_listener(&full), full_listener(&full6)}, waiting[5];
    for (int i = 0; i < 5; i++) {
        waiting[i] = stream(i % 2 ? &full6 : &full, SOCK_NONBLOCK);
        setsockopt(waiting[i], IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
        must(dial(waiting[i], i % 2 ? &full6 : &full) < 0 && errno == EINPROGRESS ? 0 : -1, "connect");
        must(dial(waiting[i], i % 2 ? &full6 : &full) < 0 && errno == EALREADY ? 0 : -1, "connect"); /* no attempt */
    }
    TIMES(7) /* closed while connecting */
    {
        int fd = stream(&full, SOCK_NONBLOCK);
        must(dial(fd, &full) < 0 && errno == EINPROGRESS ? 0 : -1, "connect");
        failed(&full, 0);
        load_close(fd);
    }
    load_close(attempt(&silent)); /* EHOSTUNREACH, told by the neighbour table */
    for (int i = 0; i < 5; i++) {
        int number;
        socklen_t size = sizeof(number);
        wait_for(waiting[i], POLLOUT);
        getsockopt(waiting[i], SOL_SOCKET, SO_ERROR, &number, &size);
        failed(i % 2 ? &full6 : &full, number); /* ETIMEDOUT */
        load_close(waiting[i]);
    }
    TIMES(3) /* still under way at the end */
    {
        must(dial(stream(&full, SOCK_NONBLOCK), &full) < 0 && errno == EINPROGRESS ? 0 : -1, "connect");
        tried(&full);
    }
    (void)listeners;
}

/* Attempts of which several give up at once, in one interrupt of a timer's: in groups that begin one after the other. */
enum { GROUPS = 101, GROUP = 7 };
static struct pollfd waiting[GROUPS * GROUP];

static void begin_group(struct pollfd *group, const struct address *full)
{
    unsigned int patience_ms = 100;
    for (int i = 0; i < GROUP; i++) {
        group[i] = (struct pollfd){.fd = stream(full, SOCK_NONBLOCK), .events = POLLOUT};
        setsockopt(group[i].fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
        must(dial(group[i].fd, full) < 0 && errno == EINPROGRESS ? 0 : -1, "connect");
    }
}

static void interrupted(void)
{
    struct address full = four("127.0.0.1", 4300), open = four("127.0.0.1", 4301), closed = four("127.0.0.1", 4302);
    int full_one = full_listener(&full), open_one = listening(&open, 5), begun = 0;
    long start = now_ns();
    while (begun < GROUPS || must(poll(waiting, GROUPS * GROUP, 0), "poll") < GROUPS * GROUP) {
        if (begun < GROUPS && now_ns() - start > begun * 30000000L)
            begin_group(waiting + GROUP * begun++, &full);
        TIMES(37) load_close(attempt(&closed));
        int fd = attempt(&open);
        accept_counted(open_one, 1);
        load_close(fd);
    }
    for (int i = 0; i < GROUPS * GROUP; i++) {
        int number;
        socklen_t size = sizeof(number);
        getsockopt(waiting[i].fd, SOL_SOCKET, SO_ERROR, &number, &size);
        failed(&full, number); /* ETIMEDOUT */
        load_close(waiting[i].fd);
    }
    load_close(full_one);
    load_close(open_one);
}

static void stay_on_one_cpu(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    must(sched_setaffinity(0, sizeof(one), &one), "sched_setaffinity");
}

/* UDP and UNIX sockets have connect() too. */
static void other_kinds(void)
{
    struct address to = four("127.0.0.1", 9);
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    TIMES(3)
    {
        int udp = socket(AF_INET, SOCK_DGRAM, 0), local = socket(AF_UNIX, SOCK_STREAM, 0);
        dial(udp, &to);
        connect(local, (struct sockaddr *)&nowhere, sizeof(nowhere));
        load_close(udp);
        load_close(local);
    }
}

int main(int argc, char **argv)
{
    int hold = argc == 2 && !strcmp(argv[1], "hold"), early[5];
    struct address before = four("127.0.0.1", 4000);
    struct address addresses[3] = {four("127.0.0.1", 4001), six("::1", 4002), six("::ffff:127.0.0.1", 4003)};
    struct address closed[3] = {four("127.0.0.1", 4011), six("::1", 4012), six("::ffff:127.0.0.1", 4013)};
    load_prepare();
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && !strcmp(argv[1], "interrupted")) {
        stay_on_one_cpu();
        load_start();
        interrupted();
        print_targets();
        load_print();
        return 0;
    }
    int listener = listening(&before, 7);
    for (int i = 0; i < 5; i++)
        must(dial(early[i] = stream(&before, 0), &before), "connect");
    load_start();
    TIMES(5) accept_counted(listener, 1); /* connected before the start, accepted after it */
    for (int i = 0; i < 3; i++) {
        successes(&addresses[i]);
        refusals(&closed[i]);
    }
    immediate_failures();
    other_kinds();
    slow_failures();
    for (int i = 0; i < 5; i++)
        load_close(early[i]);
    print_targets();
    load_print();
    if (hold)
        load_wait_for_line();
    return 0;
}
