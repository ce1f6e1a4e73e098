/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same work several times: prime numbers of writes, reads, opens and closes. Each time it waits for a line, and tells what
 * it has done by then.
 * Usage: shed DIRECTORY TIMES
 */
#include "load.h"

enum { WRITES = 997, READS = 1499, OPENS = 127 };

static void work(const char *path)
{
    char byte = 0;
    int fd = load_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int turn = 0; turn < WRITES; turn++)
        transfer(FILES_WRITE, pwrite(fd, &byte, 1, 0));
    for (int turn = 0; turn < READS; turn++)
        transfer(FILES_READ, pread(fd, &byte, 1, 0));
    for (int turn = 0; turn < OPENS; turn++)
        load_close(load_open(path, O_RDONLY, 0));
    load_close(fd);
}

int main(int argc, char **argv)
{
    must(argc == 3 ? 0 : -1, "usage: shed DIRECTORY TIMES");
    char path[4096];
    snprintf(path, sizeof(path), "%s/shed", argv[1]);
    load_prepare();
    must(write(1, "ready\n", 6), "write to stdout");
    for (int turn = 0; turn < atoi(argv[2]); turn++) {
        load_wait_for_line();
        work(path);
        load_print();
    }
    return 0;
}
