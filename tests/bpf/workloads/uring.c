/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A prime number of each kind of request through io_uring, one after the other, and the same with a thread of the kernel's
 * that polls for them. Beside them what the load does by system calls, which is all that its claims hold.
 * Usage: uring DIRECTORY [poll]
 */
#include "load.h"

#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum { NOPS = 5, READS = 1009, WRITES = 503, SENDS = 307, ACCEPTS = 13, OPENS = 11, FSYNCS = 7, CLOSES = 17, POLLS = 3 };

static int ring_fd, polled;
static struct io_uring_params params;
static char *submitted, *completed;
static struct io_uring_sqe *entries;

static unsigned *at(char *ring, unsigned offset)
{
    return (unsigned *)(ring + offset);
}

static void make_ring(void)
{
    params.flags = polled ? IORING_SETUP_SQPOLL : 0;
    params.sq_thread_idle = 50;
    ring_fd = (int)must(syscall(SYS_io_uring_setup, 4, &params), "io_uring_setup");
    unsigned long bytes = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    submitted = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQ_RING);
    bytes = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    completed = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_CQ_RING);
    entries = mmap(0, params.sq_entries * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQES);
    if (submitted == MAP_FAILED || completed == MAP_FAILED || entries == MAP_FAILED)
        die("mmap of the ring");
}

static void enter(unsigned count)
{
    unsigned flags = IORING_ENTER_GETEVENTS;
    if (polled) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (__atomic_load_n(at(submitted, params.sq_off.flags), __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP)
            flags |= IORING_ENTER_SQ_WAKEUP;
    }
    must(syscall(SYS_io_uring_enter, ring_fd, count, 1, flags, NULL, 0), "io_uring_enter");
}

/* Hands over one request and waits for what came of it. */
static int request(struct io_uring_sqe entry)
{
    unsigned tail = *at(submitted, params.sq_off.tail), place = tail & *at(submitted, params.sq_off.ring_mask);
    entries[place] = entry;
    at(submitted, params.sq_off.array)[place] = place;
    __atomic_store_n(at(submitted, params.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    unsigned head = *at(completed, params.cq_off.head);
    enter(1);
    while (__atomic_load_n(at(completed, params.cq_off.tail), __ATOMIC_ACQUIRE) == head)
        enter(0);
    struct io_uring_cqe *events = (struct io_uring_cqe *)(completed + params.cq_off.cqes);
    int result = events[head & *at(completed, params.cq_off.ring_mask)].res;
    __atomic_store_n(at(completed, params.cq_off.head), head + 1, __ATOMIC_RELEASE);
    errno = result < 0 ? -result : 0;
    return result;
}

static int transfer_by_ring(int opcode, int fd, void *buffer, unsigned size)
{
    struct io_uring_sqe entry = {.opcode = (unsigned char)opcode, .fd = fd, .addr = (unsigned long)buffer, .len = size};
    return (int)must(request(entry), "a transfer");
}

static void use_files(const char *directory)
{
    char path[4096], text[64] = "";
    snprintf(path, sizeof(path), "%s/by-ring", directory);
    struct io_uring_sqe opening = {.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)path,
                                   .len = 0600, .open_flags = O_RDWR | O_CREAT};
    int fds[OPENS];
    for (int i = 0; i < OPENS; i++)
        fds[i] = (int)must(request(opening), "open");
    struct iovec vector = {.iov_base = text, .iov_len = sizeof(text)};
    for (int i = 0; i < WRITES; i++)
        if (i % 2)
            transfer_by_ring(IORING_OP_WRITE, fds[0], text, sizeof(text));
        else
            transfer_by_ring(IORING_OP_WRITEV, fds[0], &vector, 1);
    for (int i = 0; i < READS; i++)
        transfer_by_ring(i % 2 ? IORING_OP_READ : IORING_OP_READV, fds[1], i % 2 ? (void *)text : &vector, i % 2 ? 64 : 1);
    for (int i = 0; i < FSYNCS; i++)
        must(request((struct io_uring_sqe){.opcode = IORING_OP_FSYNC, .fd = fds[0]}), "fsync");
    for (int i = 0; i < OPENS; i++)
        must(request((struct io_uring_sqe){.opcode = IORING_OP_CLOSE, .fd = fds[i]}), "close");
}

/* Connects and accepts through the ring; sends through it, and receives by system call. */
static void use_sockets(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket"), client = -1, server = -1;
    must(bind(listener, (struct sockaddr *)&address, sizeof(address)), "bind");
    must(listen(listener, ACCEPTS), "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    for (int i = 0; i < ACCEPTS; i++) {
        client = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");
        struct io_uring_sqe connecting = {.opcode = IORING_OP_CONNECT, .fd = client, .addr = (unsigned long)&address,
                                          .off = sizeof(address)};
        must(request(connecting), "connect");
        record(CONNECTIONS_ATTEMPT, 0);
        record(CONNECTIONS_HANDSHAKE, 0);
        server = (int)must(request((struct io_uring_sqe){.opcode = IORING_OP_ACCEPT, .fd = listener}), "accept");
        if (i < CLOSES - OPENS)
            must(request((struct io_uring_sqe){.opcode = IORING_OP_CLOSE, .fd = server}), "close");
    }
    char byte = 0;
    for (int i = 0; i < SENDS; i++) {
        transfer_by_ring(IORING_OP_SEND, client, &byte, 1);
        transfer(TCP_RECEIVE, recv(server, &byte, 1, 0));
    }
}

int main(int argc, char **argv)
{
    must(argc >= 2 ? 0 : -1, "usage: uring DIRECTORY [poll]");
    polled = argc > 2;
    make_ring();
    load_prepare();
    load_start();
    for (int i = 0; i < NOPS; i++)
        must(request((struct io_uring_sqe){.opcode = IORING_OP_NOP}), "nop");
    for (int i = 0; i < POLLS; i++) {
        struct io_uring_sqe waiting = {.opcode = IORING_OP_POLL_ADD, .fd = 1, .poll_events = POLLOUT};
        must(request(waiting), "poll");
    }
    use_files(argv[1]);
    use_sockets();
    detail(",\"requests\":{\"io_uring.transfer\":%d,\"io_uring.message\":%d,\"io_uring.accept\":%d,\"io_uring.name\":%d,"
           "\"io_uring.close\":%d}",
           READS + WRITES, SENDS, ACCEPTS, OPENS + FSYNCS, CLOSES);
    load_print();
    return 0;
}
