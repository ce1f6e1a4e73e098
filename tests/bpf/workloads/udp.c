/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way to send to and to receive from a UDP socket, over IPv4, IPv6 and IPv4-mapped IPv6, and what must not be counted beside it.
 * Usage: udp [hold]: with `hold`, it keeps the sockets open after the JSON until another line comes.
 *        udp drops SIZE COUNT [hold]: COUNT datagrams to a socket that has room for a few; then it receives what there is.
 */
#include "load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TIMES(n) for (int turn = 0; turn < (n); turn++)

struct end {
    int fd;
    socklen_t size;
    struct sockaddr_storage name;
};

static char block[65536];

static struct end bound(int family, const char *address)
{
    struct end end = {.size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)};
    end.name.ss_family = (sa_family_t)family;
    if (family == AF_INET)
        inet_pton(family, address, &((struct sockaddr_in *)&end.name)->sin_addr);
    else
        inet_pton(family, address, &((struct sockaddr_in6 *)&end.name)->sin6_addr);
    end.fd = (int)must(socket(family, SOCK_DGRAM, 0), "socket");
    must(bind(end.fd, (struct sockaddr *)&end.name, end.size), "bind");
    must(getsockname(end.fd, (struct sockaddr *)&end.name, &end.size), "getsockname");
    return end;
}

static void join(const struct end *from, const struct end *to)
{
    must(connect(from->fd, (const struct sockaddr *)&to->name, to->size), "connect");
}

static void record_many(enum operation operation, long result, const struct mmsghdr *messages)
{
    if (result < 0) {
        record(operation, result);
        return;
    }
    unsigned long bytes = 0;
    for (int i = 0; i < result; i++)
        bytes += messages[i].msg_len;
    record_bytes(operation, bytes);
    add(&load->tallies[operation].messages, (unsigned long)result);
}

static void take(const struct end *end, int datagrams)
{
    TIMES(datagrams) transfer(UDP_RECEIVE, recv(end->fd, block, sizeof(block), 0));
}

static void unconnected(const char *address, int family)
{
    struct end a = bound(family, address), b = bound(family, address);
    struct iovec parts[2] = {{block, 31}, {block, 37}};
    struct msghdr message = {.msg_name = &b.name, .msg_namelen = b.size, .msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr messages[3] = {{.msg_hdr = message}, {.msg_hdr = message}, {.msg_hdr = message}};
    const struct sockaddr *to = (const struct sockaddr *)&b.name;
    TIMES(23) { transfer(UDP_SEND, sendto(a.fd, block, 101, 0, to, b.size)); take(&b, 1); }
    TIMES(5) { transfer(UDP_SEND, sendto(a.fd, block, 0, 0, to, b.size)); take(&b, 1); } /* empty datagrams */
    TIMES(11) { transfer(UDP_SEND, sendmsg(a.fd, &message, 0)); take(&b, 1); }
    TIMES(7) { record_many(UDP_SEND, sendmmsg(a.fd, messages, 3, 0), messages); take(&b, 3); }
    TIMES(3) transfer(UDP_SEND, send(a.fd, block, 10, 0));                              /* EDESTADDRREQ */
    TIMES(2) transfer(UDP_SEND, sendto(a.fd, block, sizeof(block), 0, to, b.size)); /* EMSGSIZE */
    TIMES(13) transfer(UDP_RECEIVE, recv(b.fd, block, 10, MSG_DONTWAIT));              /* would block */
    load_close(a.fd);
    load_close(b.fd);
}

static void connected(const char *address, int family)
{
    struct end a = bound(family, address), b = bound(family, address);
    struct iovec parts[2] = {{block, 41}, {block + 64, 43}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr messages[3] = {{.msg_hdr = message}, {.msg_hdr = message}, {.msg_hdr = message}};
    join(&a, &b);
    join(&b, &a);
    TIMES(5)
    {
        transfer(UDP_SEND, send(a.fd, block, 103, 0));
        recv(b.fd, block, 100, MSG_PEEK); /* not counted */
        recv(b.fd, block, 100, MSG_PEEK | MSG_DONTWAIT);
        transfer(UDP_RECEIVE, recvfrom(b.fd, block, 200, 0, NULL, NULL));
        transfer(UDP_SEND, write(a.fd, block, 107));
        transfer(UDP_RECEIVE, read(b.fd, block, 50)); /* the rest of it is thrown away by the call, and is no drop */
        transfer(UDP_SEND, writev(a.fd, parts, 2));
        transfer(UDP_RECEIVE, readv(b.fd, parts, 2));
        transfer(UDP_SEND, sendmsg(a.fd, &message, 0));
        transfer(UDP_RECEIVE, recvmsg(b.fd, &message, 0));
        record_many(UDP_SEND, sendmmsg(a.fd, messages, 3, 0), messages);
        record_many(UDP_RECEIVE, recvmmsg(b.fd, messages, 3, 0, NULL), messages);
    }
    TIMES(3) record_many(UDP_RECEIVE, recvmmsg(b.fd, messages, 3, MSG_DONTWAIT, NULL), messages); /* would block */
    load_close(b.fd);
    TIMES(17)
    {
        transfer(UDP_SEND, send(a.fd, block, 19, 0));    /* nobody is there any more */
        transfer(UDP_RECEIVE, recv(a.fd, block, 19, 0)); /* ECONNREFUSED */
    }
    transfer(UDP_SEND, send(a.fd, block, 19, 0));
    transfer(UDP_SEND, send(a.fd, block, 19, 0)); /* ECONNREFUSED of the one before */
    load_close(a.fd);
}

static void from_files(void)
{
    struct end a = bound(AF_INET, "127.0.0.1"), b = bound(AF_INET, "127.0.0.1");
    int ends[2], file = memfd_create("source", 0);
    join(&a, &b);
    must(pipe(ends), "pipe");
    must(ftruncate(file, 65536), "ftruncate");
    TIMES(5)
    {
        off_t offset = 0;
        transfer(FILES_READ, transfer(UDP_SEND, sendfile(a.fd, file, &offset, 307)));
        take(&b, 1);
    }
    TIMES(3)
    {
        loff_t offset = 0;
        transfer(FILES_READ, splice(file, &offset, ends[1], NULL, 311, 0));
        transfer(UDP_SEND, splice(ends[0], NULL, a.fd, NULL, 311, 0));
        take(&b, 1);
    }
    close(ends[0]);
    close(ends[1]);
    close(file);
    close(a.fd);
    close(b.fd);
}

/* Neither is UDP. */
static void other_kinds(void)
{
    int unix_pair[2];
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, unix_pair), "socketpair");
    TIMES(3)
    {
        send(unix_pair[0], block, 50, 0);
        recv(unix_pair[1], block, 50, 0);
    }
    close(unix_pair[0]);
    close(unix_pair[1]);
}

static void drops(long size, long count, int hold)
{
    struct end a = bound(AF_INET, "127.0.0.1"), b = bound(AF_INET, "127.0.0.1");
    int room = 1;
    must(setsockopt(b.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), "SO_RCVBUF");
    join(&a, &b);
    load_start();
    for (long i = 0; i < count; i++)
        transfer(UDP_SEND, send(a.fd, block, (size_t)size, 0));
    while (transfer(UDP_RECEIVE, recv(b.fd, block, sizeof(block), MSG_DONTWAIT)) >= 0)
        ;
    load_print();
    if (hold)
        load_wait_for_line();
}

static void *later(void *argument)
{
    const struct end *end = argument;
    for (int i = 0; i < 53; i++) {
        struct timespec pause = {.tv_nsec = 2000000L + 100000L * i};
        nanosleep(&pause, NULL);
        transfer(UDP_SEND, send(end->fd, block, 11, 0));
    }
    return NULL;
}

/* Receives that wait, timed by this program's own clock. */
static void delays(void)
{
    struct end a = bound(AF_INET, "127.0.0.1"), b = bound(AF_INET, "127.0.0.1");
    pthread_t thread;
    join(&a, &b);
    load_start();
    pthread_create(&thread, NULL, later, &a);
    detail(",\"durations_ns\":[");
    for (int i = 0; i < 53; i++) {
        long start = now_ns();
        transfer(UDP_RECEIVE, recv(b.fd, block, sizeof(block), 0));
        detail("%s%ld", i ? "," : "", now_ns() - start);
    }
    detail("]");
    pthread_join(thread, NULL);
    load_print();
}

int main(int argc, char **argv)
{
    int hold = argc > 1 && !strcmp(argv[argc - 1], "hold");
    load_prepare();
    if (argc > 3 && !strcmp(argv[1], "drops")) {
        drops(atol(argv[2]), atol(argv[3]), hold);
        return 0;
    }
    if (argc > 1 && !strcmp(argv[1], "delays")) {
        delays();
        return 0;
    }
    load_start();
    unconnected("127.0.0.1", AF_INET);
    unconnected("::1", AF_INET6);
    unconnected("::ffff:127.0.0.1", AF_INET6);
    connected("127.0.0.1", AF_INET);
    connected("::1", AF_INET6);
    connected("::ffff:127.0.0.1", AF_INET6);
    from_files();
    other_kinds();
    load_print();
    if (hold)
        load_wait_for_line();
    return 0;
}
