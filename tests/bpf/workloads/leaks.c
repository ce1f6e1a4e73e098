/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes whose tables grow. `grow`: at each line a prime number of sockets and timers more, and files that it closes again.
 * `parent`: starts another program, which does not inherit all, grows once and waits.
 */
#include "load.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#define TIMES(count) for (int turn = 0; turn < (count); turn++)

static void say_done(void)
{
    must(write(1, "done\n", 5), "write to stdout");
}

static void grow(void)
{
    while (load_wait_for_line()) {
        TIMES(13) must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
        TIMES(5) must(eventfd(0, 0), "eventfd");
        TIMES(11) close((int)must(open("/proc/self/exe", O_RDONLY), "open"));
        say_done();
    }
}

static void parent(void)
{
    load_wait_for_line();
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "leaks", "born", NULL);
        die("exec");
    }
    waitpid(child, NULL, 0);
}

static void born(void)
{
    int ends[2];
    TIMES(19) must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
    TIMES(2) must(pipe(ends), "pipe");
    say_done();
    load_wait_for_line();
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "born")) {
        born();
        return 0;
    }
    TIMES(17) must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    TIMES(3) must(open("/proc/self/exe", O_RDONLY), "open");
    must(write(1, "ready\n", 6), "write to stdout");
    if (argc == 2 && !strcmp(argv[1], "grow"))
        grow();
    else
        parent();
    return 0;
}
