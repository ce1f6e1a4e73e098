/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes one byte of a file, again and again. Usage: rw FILE PAIRS. Waits for a line on stdin; prints ns per call. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char byte = 0;
    long pairs = argc == 3 ? atol(argv[2]) : 0, moved = 0;
    int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct timespec before, after;
    if (fd < 0 || pairs <= 0 || write(1, "ready\n", 6) != 6 || read(0, &byte, 1) != 1)
        return 1;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    for (long turn = 0; turn < pairs; turn++)
        moved += pwrite(fd, &byte, 1, 0) + pread(fd, &byte, 1, 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double ns = (double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec);
    printf("%.1f\n", ns / (2.0 * (double)pairs));
    return moved == 2 * pairs ? 0 : 1;
}
