/* SPDX-License-Identifier: Apache-2.0 */
/* 1,999 processes whose two threads end at the same moment: each process ends once. */
#include "load.h"

#include <pthread.h>

static pthread_barrier_t barrier;

static void *twin(void *unused)
{
    pthread_barrier_wait(&barrier);
    syscall(SYS_exit, 0);
    return unused;
}

int main(void)
{
    load_prepare();
    load_start();
    for (int turn = 0; turn < 1999; turn++) {
        pid_t child = (pid_t)must(fork(), "fork");
        if (child == 0) {
            pthread_t id;
            pthread_barrier_init(&barrier, NULL, 2);
            record(PROCESSES_FORK_THREAD, -pthread_create(&id, NULL, twin, NULL));
            twin(NULL);
        }
        record(PROCESSES_FORK_PROCESS, child);
        must(waitpid(child, NULL, 0), "waitpid");
        record(PROCESSES_EXIT, 0);
    }
    load_print();
    return 0;
}
