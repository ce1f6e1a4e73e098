/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As many system calls as the processors take: each of so many processes reads and writes one byte of a file of its own.
 * Usage: rate DIRECTORY PROCESSES PAIRS
 */
#include "load.h"

#include <sys/resource.h>

int main(int argc, char **argv)
{
    must(argc == 4 ? 0 : -1, "usage: rate DIRECTORY PROCESSES PAIRS");
    int processes = atoi(argv[2]);
    long pairs = atol(argv[3]);
    load_prepare();
    load_start();
    long began = now_ns();
    for (int i = 0; i < processes; i++) {
        if (must(fork(), "fork") > 0)
            continue;
        char path[4096], byte = 0;
        snprintf(path, sizeof(path), "%s/rate-%d", argv[1], i);
        int fd = load_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        long moved = 0;
        for (long turn = 0; turn < pairs; turn++)
            moved += pwrite(fd, &byte, 1, 0) + pread(fd, &byte, 1, 0);
        must(moved == 2 * pairs ? 0 : -1, "a short read or write");
        record(FILES_UNLINK, unlinkat(AT_FDCWD, path, 0));
        _exit(0);
    }
    while (wait(NULL) > 0)
        ;
    unsigned long total = (unsigned long)pairs * (unsigned long)processes;
    load->tallies[FILES_READ] = load->tallies[FILES_WRITE] = (struct tally){.count = total, .bytes = total, .max_bytes = 1};
    load->tallies[PROCESSES_FORK_PROCESS].count = load->tallies[PROCESSES_EXIT].count = (unsigned long)processes;
    long wall_ns = now_ns() - began;
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    double cpu_ns = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
    detail(",\"per_s\":%.0f,\"processors\":%.2f", 2e9 * (double)total / (double)wall_ns, cpu_ns / (double)wall_ns);
    load_print();
    return 0;
}
