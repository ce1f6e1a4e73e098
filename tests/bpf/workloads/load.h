/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every known load has in common: it says `ready`, waits for a line on stdin, works, and prints one JSON line with its own count
 * of what it did. The count follows the definitions that the tracer is held to, but knows nothing of the tracer: each call
 * is recorded where it is made, by its result. Processes and threads of a load add to the same tallies.
 */
#ifndef LOAD_H
#define LOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum operation {
    FILES_READ,
    FILES_WRITE,
    FILES_FSYNC,
    FILES_OPEN,
    FILES_UNLINK,
    FILES_RENAME,
    TCP_SEND,
    TCP_RECEIVE,
    UDP_SEND,
    UDP_RECEIVE,
    CONNECTIONS_ATTEMPT,
    CONNECTIONS_FAILURE,
    CONNECTIONS_HANDSHAKE,
    CONNECTIONS_ACCEPT,
    PROCESSES_EXEC,
    PROCESSES_FORK_PROCESS,
    PROCESSES_FORK_THREAD,
    PROCESSES_EXIT,
    DESCRIPTORS_CLOSE,
    OPERATIONS,
};

static const char *const operation_names[OPERATIONS] = {
    "files.read",           "files.write",          "files.fsync",
    "files.open",           "files.unlink",         "files.rename",
    "tcp.send",             "tcp.receive",          "udp.send",
    "udp.receive",          "connections.attempt",  "connections.failure",
    "connections.handshake", "connections.accept",  "processes.exec",
    "processes.fork_process", "processes.fork_thread", "processes.exit",
    "descriptors.close",
};

#define ERRNOS 256
#define DETAIL_BYTES (1 << 20)

struct tally {
    unsigned long count, errors, would_block, interrupted, bytes, messages, max_bytes;
    unsigned long by_errno[ERRNOS];
};

struct load {
    struct tally tallies[OPERATIONS];
    char detail[DETAIL_BYTES]; /* further JSON members, each led by a comma */
    unsigned long detail_used;
};

static struct load *load;

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    _exit(99);
}

/* For calls of the preparation, which must succeed and are not counted. */
static inline long must(long result, const char *what)
{
    if (result < 0)
        die(what);
    return result;
}

static inline void add(unsigned long *counter, unsigned long amount)
{
    __atomic_fetch_add(counter, amount, __ATOMIC_SEQ_CST);
}

/* Failures whose operation counts successes only. */
static inline void record_apart(enum operation operation, int number)
{
    add(&load->tallies[operation].by_errno[number], 1);
}

static inline void record_error(enum operation operation, int number)
{
    struct tally *tally = &load->tallies[operation];
    add(&tally->count, 1);
    add(&tally->errors, 1);
    add(&tally->by_errno[number], 1);
}

static inline void record_bytes(enum operation operation, unsigned long bytes)
{
    struct tally *tally = &load->tallies[operation];
    add(&tally->count, 1);
    add(&tally->bytes, bytes);
    unsigned long seen = __atomic_load_n(&tally->max_bytes, __ATOMIC_SEQ_CST);
    while (bytes > seen && !__atomic_compare_exchange_n(&tally->max_bytes, &seen, bytes, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

/* A call whose result is no number of bytes (open, close, rename ...). */
static inline long record(enum operation operation, long result)
{
    int number = errno;
    if (result >= 0)
        add(&load->tallies[operation].count, 1);
    else if (number == EAGAIN)
        add(&load->tallies[operation].would_block, 1);
    else if (number == EINTR)
        add(&load->tallies[operation].interrupted, 1);
    else if (number != EBADF)
        record_error(operation, number);
    errno = number;
    return result;
}

/* A call whose result is a number of bytes. */
static inline long transfer(enum operation operation, long result)
{
    if (result < 0)
        return record(operation, result);
    record_bytes(operation, (unsigned long)result);
    return result;
}

static inline int load_open(const char *path, int flags, int mode)
{
    return (int)record(FILES_OPEN, syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

static inline int load_close(int fd)
{
    return (int)record(DESCRIPTORS_CLOSE, close(fd));
}

__attribute__((format(printf, 1, 2))) static inline void detail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(load->detail + load->detail_used, DETAIL_BYTES - load->detail_used, format, arguments);
    va_end(arguments);
    load->detail_used += (unsigned long)size;
    if (load->detail_used >= DETAIL_BYTES)
        die("too much detail");
}

static inline void load_prepare(void)
{
    load = mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (load == MAP_FAILED)
        die("mmap");
    load->detail[0] = 0;
}

/* 0 at the end of stdin. That is a pipe: reading it is no operation on a file. */
static inline int load_wait_for_line(void)
{
    char byte = 0;
    while (byte != '\n' && read(0, &byte, 1) == 1)
        ;
    return byte == '\n';
}

static inline void load_start(void)
{
    must(write(1, "ready\n", 6), "write to stdout");
    load_wait_for_line();
}

static inline void write_fully(const char *text, unsigned long size)
{
    while (size > 0) {
        long written = must(write(1, text, size), "write to stdout");
        text += written;
        size -= (unsigned long)written;
    }
}

/* The JSON line. The process's own end comes after it: the caller of the load adds that. */
static inline void load_print(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "{\"operations\":{");
    for (int i = 0; i < OPERATIONS; i++) {
        struct tally *t = &load->tallies[i];
        fprintf(out, "%s\"%s\":[%lu,%lu,%lu,%lu,%lu,%lu,%lu]", i ? "," : "", operation_names[i], t->count, t->errors,
                t->would_block, t->interrupted, t->bytes, t->messages, t->max_bytes);
    }
    fprintf(out, "},\"errors\":[");
    const char *comma = "";
    for (int i = 0; i < OPERATIONS; i++)
        for (int number = 0; number < ERRNOS; number++)
            if (load->tallies[i].by_errno[number] > 0) {
                fprintf(out, "%s[\"%s\",%d,%lu]", comma, operation_names[i], number, load->tallies[i].by_errno[number]);
                comma = ",";
            }
    fprintf(out, "]%s}\n", load->detail);
    fclose(out);
    write_fully(text, size);
    free(text);
}

static inline long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

#endif
