/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens descriptors in functions of their own. At each line it closes some of what it kept before, opens and closes properly in
 * `borrows`, keeps what the other functions open, and says of each descriptor that it keeps who opened it: `keeps 17`; then
 * `done`. `alone` does so itself, `child` in a child process, and `tidy` keeps nothing.
 */
#pragma GCC optimize("no-omit-frame-pointer")

#include "load.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#define KEPT __attribute__((noinline, noclone))
#define TIMES(count) for (int turn = 0; turn < (count); turn++)
#define KEPT_AT_ONCE 13
#define GIVEN_BACK 4

static volatile int calls; /* what comes behind a call, so that none is a jump */
static int kept[KEPT_AT_ONCE];
static int passing[2];
static int listener;

static void say(const char *who, int descriptor)
{
    char line[64];
    int size = snprintf(line, sizeof(line), "%s %d\n", who, descriptor);
    must(write(1, line, size), "write to stdout");
}

static int made(long descriptor)
{
    return (int)must(descriptor, "descriptor");
}

#define INLINED static inline __attribute__((always_inline))
#define PASSED 7

INLINED int accepted(void)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);
    int client = made(socket(AF_UNIX, SOCK_STREAM, 0));
    must(getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    must(connect(client, (struct sockaddr *)&address, size), "connect");
    int server = made(accept(listener, NULL, NULL));
    close(client);
    return server;
}

/* Sends its sockets to itself, so that it has each of them twice. */
INLINED void received(int *numbers)
{
    char text = 'x', control[CMSG_SPACE(PASSED * sizeof(int))] = {0};
    struct iovec data = {&text, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control};
    message.msg_controllen = sizeof(control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(PASSED * sizeof(int));
    TIMES(PASSED) ((int *)CMSG_DATA(header))[turn] = listener;
    must(sendmsg(passing[0], &message, 0), "sendmsg");
    must(recvmsg(passing[1], &message, 0), "recvmsg");
    memcpy(numbers, CMSG_DATA(header), PASSED * sizeof(int));
}

KEPT void borrows(void)
{
    int numbers[PASSED];
    TIMES(97) {
        close(made(socket(AF_UNIX, SOCK_STREAM, 0)));
        close(made(eventfd(0, 0)));
    }
    TIMES(5) close(accepted());
    received(numbers);
    TIMES(PASSED) close(numbers[turn]);
    calls++;
}

KEPT void accepts(void)
{
    say("accepts", accepted());
    calls++;
}

KEPT void receives(void)
{
    int numbers[PASSED];
    received(numbers);
    TIMES(PASSED) say("receives", numbers[turn]);
    calls++;
}

KEPT void reads(void)
{
    TIMES(11) close(made(open("/proc/self/exe", O_RDONLY)));
    calls++;
}

KEPT void keeps(void)
{
    TIMES(KEPT_AT_ONCE) {
        kept[turn] = made(socket(AF_UNIX, SOCK_STREAM, 0));
        say("keeps", kept[turn]);
    }
    calls++;
}

KEPT void copies(void)
{
    TIMES(3) say("copies", made(dup(listener)));
    calls++;
}

KEPT void pairs(void)
{
    int ends[2];
    made(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    say("pairs", ends[0]);
    say("pairs", ends[1]);
    calls++;
}

KEPT void watches(void)
{
    TIMES(5) say("watches", made(eventfd(0, 0)));
    calls++;
}

KEPT void pipes(void)
{
    int ends[2];
    made(pipe(ends));
    say("pipes", ends[0]);
    say("pipes", ends[1]);
    calls++;
}

KEPT void logs(void)
{
    TIMES(3) say("logs", made(open("/dev/null", O_WRONLY)));
    calls++;
}

static void give_back(void)
{
    TIMES(GIVEN_BACK) if (kept[turn]) close(kept[turn]);
}

KEPT void work(int keeps_any)
{
    while (load_wait_for_line()) {
        borrows();
        reads();
        if (keeps_any) {
            give_back();
            copies();
            keeps();
            pairs();
            accepts();
            receives();
            watches();
            pipes();
            logs();
        }
        must(write(1, "done\n", 5), "write to stdout");
    }
}

int main(int count, char **arguments)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, passing), "socketpair");
    listener = made(socket(AF_UNIX, SOCK_STREAM, 0));
    must(bind(listener, (struct sockaddr *)&any, sizeof(any.sun_family)), "bind");
    must(listen(listener, 5), "listen");
    must(write(1, "ready\n", 6), "write to stdout");
    if (count == 2 && !strcmp(arguments[1], "child")) {
        pid_t child = fork();
        if (child)
            return waitpid(child, NULL, 0) != child;
    }
    work(count == 2 && strcmp(arguments[1], "tidy"));
    return 0;
}
