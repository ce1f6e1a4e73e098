/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads that wake each other in turns, each by a futex of its own. Usage: handover ROUNDS. Waits for a line on stdin; prints
 * the CPU time in ns that both threads spent on a handover: one wait, one wake.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic unsigned turn[2] = {1, 0};
static long rounds;

static void wait_for_turn(int own)
{
    while (!atomic_load(&turn[own]))
        syscall(SYS_futex, &turn[own], FUTEX_WAIT_PRIVATE, 0, NULL);
    atomic_store(&turn[own], 0);
}

static void *rally(void *number)
{
    int own = (int)(long)number;
    for (long done = 0; done < rounds; done++) {
        wait_for_turn(own);
        atomic_store(&turn[!own], 1);
        syscall(SYS_futex, &turn[!own], FUTEX_WAKE_PRIVATE, 1);
    }
    return NULL;
}

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    char byte;
    pthread_t other;
    rounds = argc == 2 ? atol(argv[1]) : 0;
    if (rounds <= 0 || write(1, "ready\n", 6) != 6 || read(0, &byte, 1) != 1)
        return 1;
    double before = cpu_ns();
    if (pthread_create(&other, NULL, rally, (void *)1L))
        return 1;
    rally((void *)0L);
    pthread_join(other, NULL);
    printf("%.1f\n", (cpu_ns() - before) / (2.0 * (double)rounds));
    return 0;
}
