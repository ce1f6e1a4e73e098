/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Touches pages a prime number of times, in its own process, in threads that end and in children, and prints what getrusage
 * says of the page faults since its release. Usage: memory
 */
#include "load.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define TIMES(n) for (int turn = 0; turn < (n); turn++)
#define PAGE 4096

static void touch(int pages)
{
    char *place = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(place, (size_t)pages * PAGE, MADV_NOHUGEPAGE);
    for (int page = 0; page < pages; page++)
        place[(size_t)page * PAGE] = 1;
    munmap(place, (size_t)pages * PAGE);
}

static void *in_thread(void *argument)
{
    touch(211);
    return argument;
}

static void print_usage(const char *name, const struct rusage *before, const struct rusage *after)
{
    detail(",\"%s\":[%ld,%ld]", name, after->ru_minflt - before->ru_minflt, after->ru_majflt - before->ru_majflt);
}

int main(void)
{
    struct rusage before, after, none = {0};
    load_prepare();
    TIMES(3) /* threads that have ended before the trace begins */
    {
        pthread_t id;
        must(-pthread_create(&id, NULL, in_thread, NULL), "pthread_create");
        pthread_join(id, NULL);
    }
    load_start();
    getrusage(RUSAGE_SELF, &before);
    touch(1009);
    TIMES(5)
    {
        pthread_t id;
        must(-pthread_create(&id, NULL, in_thread, NULL), "pthread_create");
        pthread_join(id, NULL);
    }
    getrusage(RUSAGE_SELF, &after);
    print_usage("self", &before, &after);
    TIMES(7)
    {
        pid_t child = fork();
        if (child == 0) {
            touch(503);
            _exit(0);
        }
        must(waitpid(child, NULL, 0), "waitpid");
    }
    getrusage(RUSAGE_CHILDREN, &after);
    print_usage("children", &none, &after);
    load_print();
    return 0;
}
