/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS by every system call: prime numbers of queries to the server of 127.0.0.1 and ::1, each with its own clock.
 * Usage: dns calls: all ways to send and receive, over UDP and TCP
 *        dns fates: what is never answered, answered late, sent again, closed, refused
 *        dns rate COUNT: so many lookups of one name, as fast as they go
 *        dns names COUNT: so many names, once each
 *        dns aliases: names that give the address of another one
 *        dns slow COUNT: so many whose answers are held back
 */
#include "load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TIMES(n) for (int turn = 0; turn < (n); turn++)
#define A 1
#define AAAA 28

static unsigned long lookups, answers, retransmits, timeouts, codes[16], types[64];
static unsigned short next_id = 7;
static long sum_ns, max_ns;

struct message {
    unsigned char length[2];
    unsigned char bytes[512];
    size_t size;
};

static struct message query(const char *name, int type)
{
    struct message m = {.size = 12};
    next_id += 13;
    m.bytes[0] = next_id >> 8;
    m.bytes[1] = next_id & 255;
    m.bytes[2] = 1; /* recursion desired */
    m.bytes[5] = 1; /* one question */
    while (*name) {
        size_t label = strcspn(name, ".");
        m.bytes[m.size++] = (unsigned char)label;
        memcpy(m.bytes + m.size, name, label);
        m.size += label;
        name += label + (name[label] == '.');
    }
    m.bytes[m.size++] = 0;
    m.bytes[m.size++] = (unsigned char)(type >> 8);
    m.bytes[m.size++] = (unsigned char)type;
    m.bytes[m.size++] = 0;
    m.bytes[m.size++] = 1;
    m.length[0] = (unsigned char)(m.size >> 8);
    m.length[1] = (unsigned char)m.size;
    return m;
}

static void asked(const struct message *m)
{
    lookups++;
    types[m->bytes[m->size - 3]]++;
}

static void answered(const unsigned char *bytes, long start)
{
    long duration = now_ns() - start;
    if (!(bytes[2] & 0x80))
        die("no answer");
    answers++;
    codes[bytes[3] & 15]++;
    sum_ns += duration;
    max_ns = duration > max_ns ? duration : max_ns;
}

static struct sockaddr_storage server(int family, socklen_t *size)
{
    struct sockaddr_storage name = {.ss_family = (sa_family_t)family};
    if (family == AF_INET) {
        *size = sizeof(struct sockaddr_in);
        ((struct sockaddr_in *)&name)->sin_port = htons(53);
        ((struct sockaddr_in *)&name)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        *size = sizeof(struct sockaddr_in6);
        ((struct sockaddr_in6 *)&name)->sin6_port = htons(53);
        ((struct sockaddr_in6 *)&name)->sin6_addr = in6addr_loopback;
    }
    return name;
}

static int joined(int family, int kind)
{
    socklen_t size;
    struct sockaddr_storage name = server(family, &size);
    int fd = (int)must(socket(family, kind, 0), "socket");
    must(connect(fd, (struct sockaddr *)&name, size), "connect");
    return fd;
}

static void take(int fd, long start)
{
    unsigned char bytes[512];
    must(recv(fd, bytes, sizeof(bytes), 0), "recv");
    answered(bytes, start);
}

static void sends(int fd)
{
    struct message m;
    long start;
    TIMES(13) { m = query("send.example", A); asked(&m); start = now_ns(); send(fd, m.bytes, m.size, 0); take(fd, start); }
    TIMES(11) { m = query("Write.Example", AAAA); asked(&m); start = now_ns(); write(fd, m.bytes, m.size); take(fd, start); }
    TIMES(7)
    {
        m = query("writev.example", A);
        struct iovec parts[2] = {{m.bytes, 5}, {m.bytes + 5, m.size - 5}};
        asked(&m);
        start = now_ns();
        writev(fd, parts, 2);
        take(fd, start);
    }
    TIMES(5)
    {
        m = query("sendmsg.example", A);
        struct iovec parts[3] = {{m.bytes, 12}, {m.bytes + 12, 4}, {m.bytes + 16, m.size - 16}};
        struct msghdr header = {.msg_iov = parts, .msg_iovlen = 3};
        asked(&m);
        start = now_ns();
        sendmsg(fd, &header, 0);
        take(fd, start);
    }
    TIMES(3)
    {
        struct message many[17];
        struct iovec parts[17];
        struct mmsghdr headers[17] = {0};
        for (int i = 0; i < 17; i++) {
            char name[32];
            snprintf(name, sizeof(name), "many%d.example", i);
            many[i] = query(name, i % 2 ? AAAA : A);
            parts[i] = (struct iovec){many[i].bytes, many[i].size};
            headers[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
            asked(&many[i]);
        }
        start = now_ns();
        must(sendmmsg(fd, headers, 17, 0), "sendmmsg");
        for (int i = 0; i < 17; i++)
            take(fd, start);
    }
}

static void receives(int fd)
{
    unsigned char bytes[512], rest[512];
    struct iovec parts[2] = {{bytes, 7}, {rest, sizeof(rest)}};
    struct iovec whole[2] = {{bytes, sizeof(bytes)}, {rest, sizeof(rest)}};
    struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr headers[2] = {{.msg_hdr = {.msg_iov = whole, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = whole + 1, .msg_iovlen = 1}}};
    struct message m;
    long start;
#define ASK(name, kind) m = query(name, kind); asked(&m); start = now_ns(); send(fd, m.bytes, m.size, 0)
    TIMES(5) { ASK("read.example", A); read(fd, bytes, sizeof(bytes)); answered(bytes, start); }
    TIMES(5) { ASK("readv.example", A); readv(fd, parts, 2); answered(bytes, start); }
    TIMES(5) { ASK("recvmsg.example", AAAA); recvmsg(fd, &header, 0); answered(bytes, start); }
    TIMES(5) { ASK("recvfrom.example", A); recvfrom(fd, bytes, sizeof(bytes), 0, NULL, NULL); answered(bytes, start); }
    TIMES(5) { ASK("peek.example", A); recv(fd, bytes, sizeof(bytes), MSG_PEEK); recv(fd, bytes, sizeof(bytes), 0); answered(bytes, start); }
    TIMES(3) { ASK("text.example", 16); recv(fd, bytes, sizeof(bytes), 0); answered(bytes, start); }
    TIMES(3)
    {
        ASK("first.example", A);
        struct message second = query("second.example", AAAA);
        asked(&second);
        send(fd, second.bytes, second.size, 0);
        must(recvmmsg(fd, headers, 2, 0, NULL), "recvmmsg");
        answered(bytes, start);
        answered(rest, start);
    }
}

static void unconnected(int family)
{
    socklen_t size;
    struct sockaddr_storage name = server(family, &size), from;
    int fd = (int)must(socket(family, SOCK_DGRAM, 0), "socket");
    unsigned char bytes[512];
    struct iovec part = {bytes, sizeof(bytes)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    TIMES(11)
    {
        struct message m = query("sendto.example", A);
        asked(&m);
        long start = now_ns();
        sendto(fd, m.bytes, m.size, 0, (struct sockaddr *)&name, size);
        take(fd, start);
    }
    TIMES(7)
    {
        struct message m = query("named.example", AAAA);
        struct iovec out = {m.bytes, m.size};
        struct msghdr to = {.msg_name = &name, .msg_namelen = size, .msg_iov = &out, .msg_iovlen = 1};
        socklen_t got = sizeof(from);
        asked(&m);
        long start = now_ns();
        sendmsg(fd, &to, 0);
        if (turn % 2)
            recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &got);
        else
            recvmsg(fd, &header, 0);
        answered(bytes, start);
    }
    close(fd);
}

static void fully(int fd, unsigned char *bytes, size_t size)
{
    for (size_t got = 0; got < size;)
        got += (size_t)must(read(fd, bytes + got, size - got), "read");
}

/* Over TCP: the length and the message at once or apart, one or two queries in one call, the answer in one piece or two. */
static void streams(int family)
{
    int fd = joined(family, SOCK_STREAM);
    unsigned char bytes[1024], length[2];
    TIMES(7)
    {
        struct message m = query("stream.example", A);
        asked(&m);
        long start = now_ns();
        write(fd, m.length, m.size + 2);
        fully(fd, length, 2);
        read(fd, bytes, sizeof(bytes));
        answered(bytes, start);
    }
    TIMES(5)
    {
        struct message m = query("pieces.example", AAAA);
        struct iovec parts[2] = {{m.length, 2}, {m.bytes, m.size}};
        asked(&m);
        long start = now_ns();
        writev(fd, parts, 2);
        recv(fd, bytes, sizeof(bytes), 0);
        answered(bytes + 2, start);
    }
    TIMES(3)
    {
        struct message m = query("both.example", A), n = query("both.example", AAAA);
        struct iovec parts[4] = {{m.length, 2}, {m.bytes, m.size}, {n.length, 2}, {n.bytes, n.size}};
        struct msghdr header = {.msg_iov = parts, .msg_iovlen = 4};
        asked(&m);
        asked(&n);
        long start = now_ns();
        sendmsg(fd, &header, 0);
        for (int i = 0; i < 2; i++) {
            fully(fd, length, 2);
            read(fd, bytes, (size_t)(length[0] << 8 | length[1]));
            answered(bytes, start);
        }
    }
    close(fd);
}

static void transmit(int fd, const struct message *m)
{
    must(send(fd, m->bytes, m->size, 0), "send");
}

static void fates(void)
{
    int fd = joined(AF_INET, SOCK_DGRAM);
    static const char *const names[] = {"nx.example", "servfail.example", "refused.example", "formerr.example", "notimp.example"};
    for (int i = 0; i < 5; i++)
        TIMES(2 * i + 3)
        {
            struct message m = query(names[i], A);
            asked(&m);
            long start = now_ns();
            transmit(fd, &m);
            take(fd, start);
        }
    TIMES(3)
    {
        char name[32];
        snprintf(name, sizeof(name), "lost2.turn%d.example", turn);
        struct message m = query(name, A);
        asked(&m);
        long start = now_ns();
        for (int i = 0; i < 3; i++)
            transmit(fd, &m);
        retransmits += 2;
        take(fd, start);
    }
    TIMES(5) /* closed before an answer */
    {
        int other = joined(AF_INET, SOCK_DGRAM);
        struct message m = query("never.example", AAAA);
        asked(&m);
        transmit(other, &m);
        timeouts++;
        close(other);
    }
    struct message late[3], never[7];
    for (int i = 0; i < 3; i++) {
        late[i] = query("late.example", A);
        asked(&late[i]);
        transmit(fd, &late[i]);
    }
    for (int i = 0; i < 7; i++) {
        never[i] = query("never.example", A);
        asked(&never[i]);
        transmit(fd, &never[i]);
    }
    timeouts += 10;
    for (int i = 0; i < 3; i++) { /* 5.5 s later */
        unsigned char bytes[512];
        must(recv(fd, bytes, sizeof(bytes), 0), "recv");
    }
    transmit(fd, &never[0]); /* the same once more, after its time */
    retransmits++;
    struct message last = query("last.example", A);
    asked(&last);
    long start = now_ns();
    transmit(fd, &last);
    take(fd, start); /* the server has met all that came before */
}

static void rate(long count)
{
    int fd = joined(AF_INET, SOCK_DGRAM);
    for (long i = 0; i < count; i++) {
        struct message m = query("often.example", A);
        asked(&m);
        long start = now_ns();
        transmit(fd, &m);
        take(fd, start);
    }
}

static void names(long count)
{
    int fd = joined(AF_INET, SOCK_DGRAM);
    for (long i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "n%ld.example", i);
        struct message m = query(name, A);
        asked(&m);
        long start = now_ns();
        transmit(fd, &m);
        take(fd, start);
    }
}

/* Answers that the server holds back, timed by this program's own clock. */
static void slow(long count)
{
    int fd = joined(AF_INET, SOCK_DGRAM);
    detail(",\"durations_ns\":[");
    for (long i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "slow%ld.example", 3 + i % 17);
        struct message m = query(name, A);
        asked(&m);
        long start = now_ns();
        transmit(fd, &m);
        take(fd, start);
        detail("%s%ld", i ? "," : "", now_ns() - start);
    }
    detail("]");
}

/* Names that give an address by way of another name, and two names that give the same one. */
static void aliases(void)
{
    static const struct {
        const char *name;
        int type;
    } rows[] = {{"alias.example", A}, {"ALIAS4.example", AAAA}, {"newest-n0.example", A}, {"newest-n1.example", A}, {"nx.example.org", A}, {"text.example.org", 16}};
    int fd = joined(AF_INET, SOCK_DGRAM);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct message m = query(rows[i].name, rows[i].type);
        asked(&m);
        long start = now_ns();
        transmit(fd, &m);
        take(fd, start);
    }
}

int main(int argc, char **argv)
{
    load_prepare();
    load_start();
    long count = argc > 2 ? atol(argv[2]) : 0;
    if (argc > 1 && !strcmp(argv[1], "fates")) {
        fates();
    } else if (argc > 1 && !strcmp(argv[1], "rate")) {
        rate(count);
    } else if (argc > 1 && !strcmp(argv[1], "slow")) {
        slow(count);
    } else if (argc > 1 && !strcmp(argv[1], "aliases")) {
        aliases();
    } else if (argc > 1 && !strcmp(argv[1], "names")) {
        names(count);
    } else {
        for (int i = 0; i < 2; i++) {
            int family = i ? AF_INET6 : AF_INET, fd = joined(family, SOCK_DGRAM);
            sends(fd);
            receives(fd);
            unconnected(family);
            streams(family);
            close(fd);
        }
    }
    detail(",\"dns\":{\"lookups\":%lu,\"answers\":%lu,\"retransmits\":%lu,\"timeouts\":%lu,\"sum_ns\":%ld,\"max_ns\":%ld", lookups, answers,
           retransmits, timeouts, sum_ns, max_ns);
    detail(",\"codes\":{");
    for (int i = 0, n = 0; i < 16; i++)
        if (codes[i])
            detail("%s\"%d\":%lu", n++ ? "," : "", i, codes[i]);
    detail("},\"types\":{");
    for (int i = 0, n = 0; i < 64; i++)
        if (types[i])
            detail("%s\"%d\":%lu", n++ ? "," : "", i, types[i]);
    detail("}}");
    load_print();
    load_wait_for_line();
    return 0;
}
