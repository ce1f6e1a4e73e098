/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way to send to and to receive from a TCP socket, over IPv4, IPv6 and IPv4-mapped IPv6, and what must not be counted beside it.
 * The connections exist before the start. Usage: tcp [hold]: with `hold`, it keeps them open after the JSON until another line comes.
 */
#include "load.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TIMES(n) for (int turn = 0; turn < (n); turn++)

struct pair {
    int client, server;
};

static char block[65536];

static struct pair connected(int family, const char *address)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr *name = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
    socklen_t size = family == AF_INET ? sizeof(four) : sizeof(six);
    int listener = (int)must(socket(family, SOCK_STREAM, 0), "socket");
    must(bind(listener, name, size), "bind");
    must(listen(listener, 5), "listen");
    must(getsockname(listener, name, &size), "getsockname");
    inet_pton(family, address, family == AF_INET ? (void *)&four.sin_addr : (void *)&six.sin6_addr);
    struct pair pair = {.client = (int)must(socket(family, SOCK_STREAM, 0), "socket")};
    must(connect(pair.client, name, size), "connect");
    pair.server = (int)must(accept(listener, NULL, NULL), "accept");
    close(listener);
    return pair;
}

/* Takes what was sent by one receive for each piece of `size` bytes. */
static void take(int fd, long size, int pieces)
{
    TIMES(pieces) transfer(TCP_RECEIVE, recv(fd, block, (size_t)size, MSG_WAITALL));
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

static void sends(struct pair pair)
{
    struct iovec parts[2] = {{block, 31}, {block, 37}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr messages[3] = {{.msg_hdr = message}, {.msg_hdr = message}, {.msg_hdr = message}};
    TIMES(23) { transfer(TCP_SEND, send(pair.client, block, 101, 0)); take(pair.server, 101, 1); }
    TIMES(19) { transfer(TCP_SEND, sendto(pair.client, block, 103, MSG_NOSIGNAL, NULL, 0)); take(pair.server, 103, 1); }
    TIMES(17) { transfer(TCP_SEND, write(pair.client, block, 107)); take(pair.server, 107, 1); }
    TIMES(13) { transfer(TCP_SEND, writev(pair.client, parts, 2)); take(pair.server, 34, 2); }
    TIMES(11) { transfer(TCP_SEND, sendmsg(pair.client, &message, 0)); take(pair.server, 68, 1); }
    TIMES(7) { record_many(TCP_SEND, sendmmsg(pair.client, messages, 3, 0), messages); take(pair.server, 68, 3); }
}

static void receives(struct pair pair)
{
    struct iovec parts[2] = {{block, 41}, {block + 64, 43}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr messages[3] = {{.msg_hdr = message}, {.msg_hdr = message}, {.msg_hdr = message}};
    TIMES(5)
    {
        transfer(TCP_SEND, send(pair.server, block, 2027, 0));
        recv(pair.client, block, 100, MSG_PEEK); /* not counted */
        recv(pair.client, block, 100, MSG_PEEK | MSG_DONTWAIT);
        transfer(TCP_RECEIVE, recv(pair.client, block, 211, 0));
        transfer(TCP_RECEIVE, recvfrom(pair.client, block, 223, 0, NULL, NULL));
        transfer(TCP_RECEIVE, read(pair.client, block, 227));
        transfer(TCP_RECEIVE, readv(pair.client, parts, 2));
        transfer(TCP_RECEIVE, recvmsg(pair.client, &message, 0));
        record_many(TCP_RECEIVE, recvmmsg(pair.client, messages, 3, MSG_WAITFORONE, NULL), messages);
        take(pair.client, 2027 - 211 - 223 - 227 - 5 * 84, 1);
    }
    TIMES(7) transfer(TCP_RECEIVE, recv(pair.client, block, 10, MSG_DONTWAIT)); /* would block */
    TIMES(3) record_many(TCP_RECEIVE, recvmmsg(pair.client, messages, 3, MSG_DONTWAIT, NULL), messages);
    TIMES(2) transfer(TCP_RECEIVE, syscall(SYS_recvfrom, pair.client, 1L, 0L, MSG_DONTWAIT, NULL, NULL));
}

static void from_files(struct pair pair)
{
    int ends[2], file = memfd_create("source", 0);
    must(pipe(ends), "pipe");
    must(ftruncate(file, 65536), "ftruncate");
    TIMES(5)
    {
        off_t offset = 0;
        long sent = transfer(TCP_SEND, sendfile(pair.client, file, &offset, 307));
        transfer(FILES_READ, sent);
        take(pair.server, 307, 1);
    }
    TIMES(3)
    {
        loff_t offset = 0;
        transfer(FILES_READ, splice(file, &offset, ends[1], NULL, 311, 0));
        transfer(TCP_SEND, splice(ends[0], NULL, pair.client, NULL, 311, 0));
        transfer(TCP_RECEIVE, splice(pair.server, NULL, ends[1], NULL, 311, 0));
        read(ends[0], block, 311);
    }
    close(ends[0]);
    close(ends[1]);
    close(file);
}

/* Neither is TCP. */
static void other_kinds(void)
{
    int ends[2], unix_pair[2], udp = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(self);
    must(bind(udp, (struct sockaddr *)&self, size), "bind");
    must(getsockname(udp, (struct sockaddr *)&self, &size), "getsockname");
    must(pipe(ends), "pipe");
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, unix_pair), "socketpair");
    TIMES(3)
    {
        sendto(udp, block, 50, 0, (struct sockaddr *)&self, size);
        recv(udp, block, 50, 0);
        write(unix_pair[0], block, 50);
        recv(unix_pair[1], block, 50, 0);
        write(ends[1], block, 50);
        read(ends[0], block, 50);
    }
    close(udp);
    close(ends[0]);
    close(ends[1]);
    close(unix_pair[0]);
    close(unix_pair[1]);
}

static void full_socket(struct pair pair)
{
    long sent = 0;
    for (long result = 1; result > 0; sent += result > 0 ? result : 0)
        result = transfer(TCP_SEND, send(pair.client, block, sizeof(block), MSG_DONTWAIT)); /* the last one would block */
    while (sent > 0)
        sent -= must(transfer(TCP_RECEIVE, recv(pair.server, block, sizeof(block), 0)), "recv");
}

static void ends(struct pair orderly, struct pair broken, struct pair reset)
{
    shutdown(orderly.client, SHUT_WR);
    TIMES(3) transfer(TCP_RECEIVE, recv(orderly.server, block, 10, 0));           /* 0 bytes each */
    TIMES(5) transfer(TCP_SEND, send(orderly.client, block, 10, MSG_NOSIGNAL)); /* EPIPE */
    close(broken.server);
    transfer(TCP_RECEIVE, recv(broken.client, block, 10, 0)); /* 0 bytes */
    transfer(TCP_SEND, send(broken.client, block, 10, 0));    /* accepted, answered by a reset */
    TIMES(2) transfer(TCP_SEND, send(broken.client, block, 10, MSG_NOSIGNAL));
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(reset.server, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(reset.server);
    transfer(TCP_RECEIVE, recv(reset.client, block, 10, 0)); /* ECONNRESET */
    transfer(TCP_RECEIVE, recv(reset.client, block, 10, 0)); /* 0 bytes */
    int fresh = socket(AF_INET, SOCK_STREAM, 0);
    TIMES(3) transfer(TCP_RECEIVE, recv(fresh, block, 10, 0));                /* ENOTCONN */
    TIMES(2) transfer(TCP_SEND, send(fresh, block, 10, MSG_NOSIGNAL)); /* EPIPE */
    close(fresh);
    close(orderly.client);
    close(orderly.server);
    close(broken.client);
    close(reset.client);
}

/* The kernel's own count of a socket's bytes, as a second source. */
static void kernel_count(const char *name, int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), "TCP_INFO");
    detail(",\"%s\":[%llu,%llu,%u]", name, (unsigned long long)info.tcpi_bytes_sent,
           (unsigned long long)info.tcpi_bytes_received, info.tcpi_total_retrans);
}

int main(int argc, char **argv)
{
    int hold = argc == 2 && !strcmp(argv[1], "hold");
    load_prepare();
    signal(SIGPIPE, SIG_IGN);
    struct pair pairs[3] = {connected(AF_INET, "127.0.0.1"), connected(AF_INET6, "::1"), connected(AF_INET6, "::ffff:127.0.0.1")};
    struct pair orderly = connected(AF_INET, "127.0.0.1"), broken = connected(AF_INET, "127.0.0.1");
    struct pair reset = connected(AF_INET6, "::1"), full = connected(AF_INET, "127.0.0.1");
    load_start();
    for (int i = 0; i < 3; i++) {
        sends(pairs[i]);
        receives(pairs[i]);
        from_files(pairs[i]);
    }
    if (!hold)
        full_socket(full);
    ends(orderly, broken, reset);
    other_kinds();
    kernel_count("client", pairs[0].client);
    kernel_count("server", pairs[0].server);
    load_print();
    if (hold)
        load_wait_for_line();
    return 0;
}
