/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receives that take as long as their peer decides, timed by the program's own clock. Usage:
 *   timing delays COUNT      the peer answers after 5 to 40 ms
 *   timing interrupted       a receive that signals interrupt 5 times, with and without SA_RESTART
 *   timing across            one receive begins before the start and ends after it, one is still waiting at the end
 *   timing acks COUNT        sends whose acknowledgement comes late, with the socket's own round trip time at each
 *   timing pingpong COUNT    COUNT round trips; then it holds until another line comes
 */
#include "load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

static int near, far;
static char block[64];

static void connect_pair(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int one = 1, listener = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(bind(listener, (struct sockaddr *)&name, size), "bind");
    must(listen(listener, 1), "listen");
    must(getsockname(listener, (struct sockaddr *)&name, &size), "getsockname");
    near = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(connect(near, (struct sockaddr *)&name, size), "connect");
    far = (int)must(accept(listener, NULL, NULL), "accept");
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    close(listener);
}

static void send_one(int fd)
{
    transfer(TCP_SEND, send(fd, block, 1, 0));
}

static void nap(long ns)
{
    struct timespec time = {.tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L};
    while (nanosleep(&time, &time) < 0)
        ;
}

/* Waits until the main thread sleeps inside a receive: /proc tells the system call's number. */
static void wait_until_receiving(pid_t task)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof(path), "/proc/%d/syscall", task);
    while (atoi(text) != SYS_recvfrom) {
        nap(1000000);
        int fd = load_open(path, O_RDONLY, 0);
        long size = transfer(FILES_READ, read(fd, text, sizeof(text) - 1));
        text[size > 0 ? size : 0] = 0;
        load_close(fd);
        if (text[0] == 'r') /* "running" */
            text[0] = 0;
    }
}

static void *delayed_peer(void *count)
{
    for (long turn = 0; turn < (long)count; turn++) {
        nap(5000000 + 35000000 * turn / (long)count);
        send_one(far);
        char answer;
        must(recv(far, &answer, 1, MSG_PEEK), "peek"); /* not counted */
        transfer(TCP_RECEIVE, recv(far, &answer, 1, 0));
    }
    return NULL;
}

static void delays(long count)
{
    pthread_t peer;
    detail(",\"durations_ns\":[");
    pthread_create(&peer, NULL, delayed_peer, (void *)count);
    add(&load->tallies[PROCESSES_FORK_THREAD].count, 1);
    for (long turn = 0; turn < count; turn++) {
        long before = now_ns();
        transfer(TCP_RECEIVE, recv(near, block, 1, 0));
        detail("%s%ld", turn ? "," : "", now_ns() - before);
        send_one(near);
    }
    pthread_join(peer, NULL);
    detail("]");
}

static void handler(int number)
{
    (void)number;
}

/* Sends each signal while the other process waits in a receive, and at last what it waits for. */
static void disturb(pid_t receiver)
{
    for (int turn = 0; turn < 5; turn++) {
        wait_until_receiving(receiver);
        kill(receiver, SIGUSR1);
        nap(3000000);
    }
    wait_until_receiving(receiver);
    send_one(far);
}

static void interrupted(void)
{
    for (int restarting = 0; restarting < 2; restarting++) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = restarting ? SA_RESTART : 0};
        sigaction(SIGUSR1, &action, NULL);
        pid_t receiver = getpid(), child = fork();
        if (child == 0) {
            disturb(receiver);
            _exit(0);
        }
        add(&load->tallies[PROCESSES_FORK_PROCESS].count, 1);
        if (restarting) {
            add(&load->tallies[TCP_RECEIVE].interrupted, 5); /* the kernel restarts it unseen */
            transfer(TCP_RECEIVE, recv(near, block, 1, 0));
        } else
            while (transfer(TCP_RECEIVE, recv(near, block, 1, 0)) < 0)
                ;
        waitpid(child, NULL, 0);
        add(&load->tallies[PROCESSES_EXIT].count, 1);
    }
}

static void *receive_across(void *tid)
{
    *(pid_t *)tid = (pid_t)syscall(SYS_gettid);
    transfer(TCP_RECEIVE, recv(near, block, 1, 0)); /* ends after the start */
    recv(near, block, 1, 0);                        /* does not end */
    return NULL;
}

/* A delayed acknowledgement takes 40 ms: none arrives between the look at the socket's time and the end of the send. */
static void acks(long count)
{
    int no = 0;
    detail(",\"rtt_us\":[");
    for (long turn = 0; turn < count; turn++) {
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        setsockopt(far, IPPROTO_TCP, TCP_QUICKACK, &no, sizeof(no)); /* holds for one acknowledgement */
        must(getsockopt(near, IPPROTO_TCP, TCP_INFO, &info, &size), "TCP_INFO");
        send_one(near);
        detail("%s%u", turn ? "," : "", info.tcpi_rtt);
        nap(60000000);
    }
    detail("]");
}

static void pingpong(long count)
{
    for (long turn = 0; turn < count; turn++) {
        send_one(near);
        transfer(TCP_RECEIVE, recv(far, block, 1, 0));
        send_one(far);
        transfer(TCP_RECEIVE, recv(near, block, 1, 0));
    }
}

int main(int argc, char **argv)
{
    pthread_t across;
    pid_t tid = 0;
    must(argc >= 2 ? 0 : -1, "usage: timing delays COUNT | interrupted | across | acks COUNT | pingpong COUNT");
    load_prepare();
    connect_pair();
    int crosses = !strcmp(argv[1], "across"), holds = crosses || !strcmp(argv[1], "pingpong");
    if (crosses) {
        pthread_create(&across, NULL, receive_across, &tid);
        while (__atomic_load_n(&tid, __ATOMIC_SEQ_CST) == 0)
            nap(1000000);
        wait_until_receiving(tid);
        memset(load->tallies, 0, sizeof(load->tallies)); /* that was before the start */
    }
    load_start();
    if (!strcmp(argv[1], "delays"))
        delays(atol(argv[2]));
    else if (!strcmp(argv[1], "acks"))
        acks(atol(argv[2]));
    else if (!strcmp(argv[1], "interrupted"))
        interrupted();
    else if (crosses) {
        send_one(far);
        nap(20000000);
        wait_until_receiving(tid);
    } else
        pingpong(atol(argv[2]));
    load_print();
    if (holds)
        load_wait_for_line();
    return 0;
}
