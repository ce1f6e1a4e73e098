/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way to start and to end a process, each a prime number of times. The statuses that waitpid reports are printed as the second
 * source. Usage: processes; it starts itself again, under other names, with the words `exit N`, `thread` and `leader`.
 */
#include "load.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>

#define TIMES(n) for (int turn = 0; turn < (n); turn++)

static unsigned long by_code[256], by_signal[128];

static void reap(pid_t child)
{
    int status;
    must(child, "start of a process");
    add(&load->tallies[PROCESSES_FORK_PROCESS].count, 1);
    must(waitpid(child, &status, 0), "waitpid");
    add(&load->tallies[PROCESSES_EXIT].count, 1);
    if (WIFSIGNALED(status))
        by_signal[WTERMSIG(status)]++;
    else
        by_code[WEXITSTATUS(status)]++;
}

static void codes(void)
{
    static const int values[] = {0, 1, 2, 7, 42, 127, 255};
    TIMES(7)
    {
        pid_t child = fork();
        if (child == 0)
            _exit(values[turn]);
        reap(child);
    }
    TIMES(3)
    {
        pid_t child = vfork();
        if (child == 0)
            _exit(3);
        reap(child);
    }
    TIMES(5)
    {
        struct clone_args arguments = {.exit_signal = SIGCHLD};
        pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
        if (child == 0)
            _exit(5);
        reap(child);
    }
    TIMES(2)
    {
        pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0)
            syscall(SYS_exit, 9); /* exit of the only thread, not exit_group */
        reap(child);
    }
}

static void signals(void)
{
    static const int values[] = {SIGTERM, SIGKILL, SIGSEGV, SIGUSR1, SIGABRT};
    TIMES(5)
    {
        pid_t child = fork();
        if (child == 0) {
            signal(values[turn], SIG_DFL);
            kill(getpid(), values[turn]);
            _exit(1);
        }
        reap(child);
    }
}

/* There is no such program. */
static void run_missing(const char *path, char *const *arguments)
{
    static char *environment[] = {NULL};
    execve(path, arguments, environment);
    record_apart(PROCESSES_EXEC, errno);
    _exit(1);
}

/* The image that starts counts nothing: the one that asked for it counts ahead. */
static void run_counted(char *const *arguments)
{
    add(&load->tallies[PROCESSES_EXEC].count, 1);
    static char *environment[] = {NULL};
    execve("/proc/self/exe", arguments, environment);
    die("execve");
}

static void *run_from_thread(void *argument)
{
    run_counted(argument);
    return NULL;
}

static void thread(void *(*body)(void *), void *argument)
{
    pthread_t id;
    add(&load->tallies[PROCESSES_FORK_THREAD].count, 1); /* ahead: the thread may end this one */
    must(-pthread_create(&id, NULL, body, argument), "pthread_create");
    pthread_join(id, NULL);
}

static void executions(void)
{
    char *const exits[] = {"short-lived", "exit", "11", NULL};
    TIMES(7)
    {
        pid_t child = fork();
        if (child == 0)
            run_counted(exits);
        reap(child);
    }
    TIMES(3) /* the thread takes the place of the leader */
    {
        pid_t child = fork();
        if (child == 0)
            thread(run_from_thread, (void *)exits);
        reap(child);
    }
    TIMES(2) /* three images in one process */
    {
        char *const again[] = {"again", "again", NULL};
        add(&load->tallies[PROCESSES_EXEC].count, 1);
        pid_t child = fork();
        if (child == 0)
            run_counted(again);
        reap(child);
    }
    TIMES(5) /* failures */
    {
        pid_t child = vfork();
        if (child == 0)
            run_missing("/no/such/program", exits); /* ENOENT */
        reap(child);
    }
    TIMES(2)
    {
        pid_t child = fork();
        if (child == 0)
            run_missing("/proc/version", exits); /* EACCES */
        reap(child);
    }
    TIMES(3)
    {
        pid_t child;
        static char *environment[] = {NULL};
        add(&load->tallies[PROCESSES_EXEC].count, 1);
        must(-posix_spawn(&child, "/proc/self/exe", NULL, NULL, exits, environment), "posix_spawn");
        reap(child);
    }
}

static pthread_t leader;

static void *after_the_leader(void *argument)
{
    pthread_join(leader, NULL);
    syscall((long)argument, 19);
    return NULL;
}

static void *nothing(void *argument)
{
    return argument;
}

static void threads(void)
{
    TIMES(11) thread(nothing, NULL);
    TIMES(3) /* the first thread ends before the others */
    {
        pid_t child = fork();
        if (child == 0) {
            pthread_t id;
            leader = pthread_self();
            add(&load->tallies[PROCESSES_FORK_THREAD].count, 1);
            pthread_create(&id, NULL, after_the_leader, (void *)(long)(turn == 0 ? SYS_exit : SYS_exit_group));
            pthread_exit(NULL);
        }
        reap(child);
    }
}

static void print_statuses(void)
{
    const char *comma = "";
    detail(",\"statuses\":[");
    for (int code = 0; code < 256; code++)
        if (by_code[code] > 0) {
            detail("%s[%d,0,%lu]", comma, code, by_code[code]);
            comma = ",";
        }
    for (int number = 0; number < 128; number++)
        if (by_signal[number] > 0)
            detail("%s[0,%d,%lu]", comma, number, by_signal[number]);
    detail("]");
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "exit"))
        _exit(atoi(argv[2]));
    if (argc == 2 && !strcmp(argv[1], "again")) {
        execl("/proc/self/exe", "last", "exit", "13", NULL);
        _exit(1);
    }
    load_prepare();
    load_start();
    codes();
    signals();
    executions();
    threads();
    print_statuses();
    load_print();
    return 0;
}
