/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes and closes a prime number of descriptors of each kind, by each call that this kernel allows; then it waits for a line, so
 * that somebody else can look at its table, and ends. What is inherited by a child is not opened by it; what a child has at its
 * end is counted from its own table, by readlink, which needs no descriptor.
 */
#include "load.h"

#include <linux/bpf.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define TIMES(count) for (int turn = 0; turn < (count); turn++)
#define HIGHEST 1024 /* the usual limit */

enum kind { REGULAR, SOCKET, PIPE, OTHER, KINDS };

struct counts {
    unsigned long opened[KINDS], closed[KINDS], ended[KINDS];
};
static struct counts *counts;
static char directory[200];

static int opened(enum kind kind, long fd)
{
    if (fd >= 0)
        add(&counts->opened[kind], 1);
    return (int)fd;
}

static void close_one(enum kind kind, int fd)
{
    if (load_close(fd) == 0)
        add(&counts->closed[kind], 1);
}

/* What stands in the way of the call alone is no failure of the load. */
static void open_and_close(enum kind kind, long fd)
{
    if (fd >= 0)
        close_one(kind, opened(kind, fd));
}

static enum kind kind_by_link(const char *link)
{
    if (!strncmp(link, "socket:", 7))
        return SOCKET;
    if (!strncmp(link, "pipe:", 5))
        return PIPE;
    return link[0] == '/' && strncmp(link, "/memfd:", 7) && strncmp(link, "/secretmem", 10) ? REGULAR : OTHER;
}

/* Adds up the own table; with `cloexec`, only what an execution would close, without it, only what it would keep. */
static void count_table(unsigned long into[KINDS], int cloexec)
{
    for (int fd = 0; fd < HIGHEST; fd++) {
        char name[40], link[300] = "";
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || !!(flags & FD_CLOEXEC) != cloexec)
            continue;
        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        must(readlink(name, link, sizeof(link) - 1), "readlink");
        add(&into[kind_by_link(link)], 1);
    }
}

static void count_end(void)
{
    count_table(counts->ended, 0);
    count_table(counts->ended, 1);
}

static void reap(pid_t child)
{
    must(waitpid(child, NULL, 0), "waitpid");
}

static char *in_directory(const char *name)
{
    static __thread char path[300];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static int open_file(int flags)
{
    return opened(REGULAR, load_open(in_directory("file"), O_RDWR | O_CREAT | flags, 0600));
}

static void files(void)
{
    int handle_mount;
    struct {
        struct file_handle head;
        char rest[128];
    } handle = {.head = {.handle_bytes = 128}};
    mkfifo(in_directory("fifo"), 0600);
    TIMES(13) close_one(REGULAR, open_file(0));
    TIMES(3) close_one(REGULAR, opened(REGULAR, load_open(directory, O_RDONLY | O_DIRECTORY, 0)));
    TIMES(5) close_one(REGULAR, opened(REGULAR, load_open("/dev/null", O_RDWR, 0)));
    TIMES(2) close_one(REGULAR, opened(REGULAR, load_open(in_directory("fifo"), O_RDWR, 0)));
    TIMES(3) close_one(REGULAR, opened(REGULAR, load_open(in_directory("file"), O_PATH, 0)));
    TIMES(7) load_open(in_directory("absent"), O_RDONLY, 0);
    TIMES(3) close_one(OTHER, opened(OTHER, load_open("/proc/self/ns/net", O_RDONLY, 0)));
    if (name_to_handle_at(AT_FDCWD, in_directory("file"), &handle.head, &handle_mount, 0) == 0) {
        int mount = opened(REGULAR, load_open(directory, O_RDONLY, 0));
        TIMES(3) open_and_close(REGULAR, open_by_handle_at(mount, &handle.head, O_RDONLY));
        close_one(REGULAR, mount);
    }
    TIMES(2) open_and_close(REGULAR, syscall(SYS_open_tree, AT_FDCWD, directory, 0));
    TIMES(2) open_and_close(OTHER, syscall(SYS_fsopen, "tmpfs", 0));
    TIMES(3) open_and_close(OTHER, syscall(SYS_fspick, AT_FDCWD, "/proc", 0));
}

static void pair(enum kind kind, int result, const int pair[2])
{
    if (result < 0)
        return;
    open_and_close(kind, pair[0]);
    open_and_close(kind, pair[1]);
}

static void sockets_and_pipes(void)
{
    int ends[2];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    TIMES(11) open_and_close(SOCKET, socket(AF_INET, SOCK_STREAM, 0));
    TIMES(3) open_and_close(SOCKET, socket(AF_UNIX, SOCK_DGRAM, 0));
    TIMES(2) socket(AF_INET, 4711, 0); /* refused */
    TIMES(5) pair(SOCKET, socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ends);
    TIMES(7) pair(PIPE, pipe2(ends, 0), ends);
#ifdef SYS_pipe
    TIMES(2) pair(PIPE, (int)syscall(SYS_pipe, ends), ends);
#endif
    int listener = opened(SOCKET, must(socket(AF_UNIX, SOCK_STREAM, 0), "socket"));
    must(bind(listener, (struct sockaddr *)&name, sizeof(name.sun_family)), "bind"); /* to a name that the kernel makes */
    socklen_t size = sizeof(name);
    must(getsockname(listener, (struct sockaddr *)&name, &size), "getsockname");
    must(listen(listener, 9), "listen");
    TIMES(7)
    {
        int client = opened(SOCKET, must(socket(AF_UNIX, SOCK_STREAM, 0), "socket"));
        must(connect(client, (struct sockaddr *)&name, size), "connect");
        open_and_close(SOCKET, must(turn % 2 ? accept(listener, NULL, NULL) : accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept"));
        close_one(SOCKET, client);
    }
    close_one(SOCKET, listener);
}

static void duplicates(void)
{
    int file = open_file(0), ends[2];
    must(pipe(ends), "pipe");
    opened(PIPE, ends[0]);
    opened(PIPE, ends[1]);
    TIMES(5) open_and_close(REGULAR, dup(file));
    TIMES(3) open_and_close(PIPE, fcntl(ends[0], F_DUPFD, 100));
    TIMES(2) open_and_close(PIPE, fcntl(ends[0], F_DUPFD_CLOEXEC, 100));
    TIMES(7) must(fcntl(file, F_GETFL), "F_GETFL");
    TIMES(3) open_and_close(REGULAR, dup3(file, 200, 0)); /* over none */
    TIMES(5)
    {
        int over = opened(SOCKET, must(socket(AF_UNIX, SOCK_STREAM, 0), "socket"));
        must(opened(REGULAR, dup3(file, over, O_CLOEXEC)), "dup3");
        add(&counts->closed[SOCKET], 1);
#ifdef SYS_dup2
        must(opened(PIPE, syscall(SYS_dup2, ends[1], over)), "dup2");
        add(&counts->closed[REGULAR], 1);
        must(syscall(SYS_dup2, over, over), "dup2 onto itself");
        close_one(PIPE, over);
#else
        close_one(REGULAR, over);
#endif
    }
    dup3(file, 1 << 30, 0); /* beyond the limit */
    dup3(file, file, 0);    /* not allowed */
    dup3(999, file, 0);     /* EBADF leaves the second one open */
    close(999);
    close_one(REGULAR, file);
    close_one(PIPE, ends[0]);
    close_one(PIPE, ends[1]);
}

static long seccomp_listener(void)
{
    struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
    struct sock_fprog program = {.len = 1, .filter = &allow};
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static long pidfd_of_clone(int which)
{
    int pidfd = -1;
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGCHLD};
    long child = which ? syscall(SYS_clone3, &arguments, sizeof(arguments)) : syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0);
    if (child == 0) {
        count_end();
        _exit(0);
    }
    if (child < 0)
        return -1;
    add(&load->tallies[PROCESSES_FORK_PROCESS].count, 1);
    reap((pid_t)child);
    return pidfd;
}

static void anonymous(void)
{
    sigset_t none;
    sigemptyset(&none);
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(event), .config = PERF_COUNT_SW_DUMMY};
    struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
    char queue[] = "podtrace-test";
    unsigned char parameters[120] = {0};
    int self = -1;
    TIMES(11) open_and_close(OTHER, eventfd(0, 0));
    TIMES(5) open_and_close(OTHER, epoll_create1(0));
    TIMES(3) open_and_close(OTHER, timerfd_create(CLOCK_MONOTONIC, 0));
    TIMES(5) open_and_close(OTHER, memfd_create("anonymous", 0));
    TIMES(3) open_and_close(OTHER, syscall(SYS_memfd_secret, 0));
    TIMES(3) open_and_close(OTHER, inotify_init1(0));
    TIMES(2) open_and_close(OTHER, fanotify_init(FAN_CLASS_NOTIF, 0));
    TIMES(3) open_and_close(OTHER, syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
    TIMES(2) open_and_close(OTHER, syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
    TIMES(2) open_and_close(OTHER, syscall(SYS_io_uring_setup, 1, parameters));
    TIMES(2) open_and_close(OTHER, syscall(SYS_userfaultfd, O_CLOEXEC));
    open_and_close(OTHER, seccomp_listener());
    TIMES(3) open_and_close(REGULAR, syscall(SYS_mq_open, queue, O_RDWR | O_CREAT, 0600, NULL));
    syscall(SYS_mq_unlink, queue);
    syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION); /* a number, no descriptor */
    TIMES(2) open_and_close(OTHER, syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0));
    TIMES(3)
    {
        int signals = opened(OTHER, signalfd(-1, &none, 0));
        signalfd(signals, &none, 0); /* the same one again */
        close_one(OTHER, signals);
    }
    TIMES(5) open_and_close(OTHER, syscall(SYS_pidfd_open, getpid(), 0));
    self = opened(OTHER, must(syscall(SYS_pidfd_open, getpid(), 0), "pidfd_open"));
    TIMES(3) open_and_close(PIPE, syscall(SYS_pidfd_getfd, self, 0, 0));
    close_one(OTHER, self);
    TIMES(3) open_and_close(OTHER, pidfd_of_clone(0));
    TIMES(2) open_and_close(OTHER, pidfd_of_clone(1));
#ifdef __x86_64__
    TIMES(2) open_and_close(OTHER, syscall(SYS_eventfd, 0));
    TIMES(2) open_and_close(OTHER, syscall(SYS_epoll_create, 1));
    TIMES(2) open_and_close(OTHER, syscall(SYS_inotify_init));
    TIMES(2) open_and_close(OTHER, syscall(SYS_signalfd, -1, &none, 8));
#endif
}

#include "descriptors_between.h"

static void print_kinds(void)
{
    const char *const names[] = {"opened", "closed", "ended"};
    unsigned long(*rows)[KINDS] = (void *)counts;
    detail(",\"kinds\":{");
    for (int i = 0; i < 3; i++)
        detail("%s\"%s\":[%lu,%lu,%lu,%lu]", i ? "," : "", names[i], rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
    detail("}");
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "executed"))
        _exit(0);
    load_prepare();
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(directory, sizeof(directory), "%s", argv[1]);
    load_start();
    files();
    sockets_and_pipes();
    duplicates();
    anonymous();
    received();
    between_threads();
    ranges();
    executions();
    ends();
    print_kinds();
    load_print();
    load_wait_for_line();
    return 0;
}
