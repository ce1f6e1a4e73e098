/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One byte to and fro over a TCP connection between two processes. Usage: pingpong ROUNDS. Waits for a line on stdin; prints the CPU
 * time in ns that both processes spent on a round trip.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static double cpu_ns(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static int rally(int fd, long rounds, int first)
{
    char byte = 0;
    for (long turn = 0; turn < rounds; turn++) {
        if (first && send(fd, &byte, 1, 0) != 1)
            return 1;
        if (recv(fd, &byte, 1, 0) != 1)
            return 1;
        if (!first && send(fd, &byte, 1, 0) != 1)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    long rounds = argc == 2 ? atol(argv[1]) : 0;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), near = socket(AF_INET, SOCK_STREAM, 0);
    char byte;
    if (rounds <= 0 || bind(listener, (struct sockaddr *)&name, size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&name, &size) || connect(near, (struct sockaddr *)&name, size))
        return 1;
    int far = accept(listener, NULL, NULL), status = 1;
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (write(1, "ready\n", 6) != 6 || read(0, &byte, 1) != 1)
        return 1;
    double before = cpu_ns(RUSAGE_SELF);
    pid_t child = fork();
    if (child == 0)
        _exit(rally(far, rounds, 0));
    if (rally(near, rounds, 1) || waitpid(child, &status, 0) != child)
        return 1;
    printf("%.1f\n", (cpu_ns(RUSAGE_SELF) - before + cpu_ns(RUSAGE_CHILDREN)) / (double)rounds);
    return status;
}
