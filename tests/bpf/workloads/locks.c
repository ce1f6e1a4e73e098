/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that wait for futexes. One is woken (or interrupted) only when it has left its CPU, as its own number of voluntary
 * switches says: so each call that is to wait is one wait. It holds at its end until another line comes. Usage:
 *   locks known                  a prime number of waits of each kind
 *   locks mutex THREADS TURNS    one mutex that all threads take so often; they wait for nothing else
 *   locks library                a mutex, a read-write lock, a semaphore and a condition of the C library that are waited for
 *   locks threads COUNT          so many threads, one behind the other, that each wait once for the same word
 */
#include "load.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define SYS_NEW_FUTEX_WAKE 454
#define SYS_NEW_FUTEX_WAIT 455
#define NEW_FLAGS (2 | FUTEX_PRIVATE_FLAG) /* 32 bits */
#define ALL 0x7fffffff
#define MS 1000000L
/* What has 64 bytes of its own: what is waited for in them is in it. */
#define APART __attribute__((aligned(64)))

struct vector_entry {
    unsigned long value, address;
    unsigned int flags, reserved;
};

static void nap(long ns)
{
    struct timespec time = {.tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L};
    while (nanosleep(&time, &time) < 0)
        ;
}

static long own_switches(void)
{
    struct rusage usage;
    must(getrusage(RUSAGE_THREAD, &usage), "getrusage");
    return usage.ru_nvcsw;
}

/* Does it sleep, and has it left its CPU since it had so many switches? (A tracer's stops are switches, but no sleep.) */
static int sleeps(pid_t pid, pid_t tid, long before)
{
    char path[64], line[256], state = 0;
    long switches = -1;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof(line), status)) {
        sscanf(line, "State: %c", &state);
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &switches) == 1)
            break;
    }
    if (status)
        fclose(status);
    return state == 'S' && switches > before;
}

/* A thread that waits, again and again. */
struct sleeper {
    pthread_t thread;
    pid_t pid, tid;
    long (*wait)(struct sleeper *);
    unsigned int *word;
    int operation;
    long timeout_ns;
    int turns, begun, permitted;
    long before, took_ns;
};

static void begin_turn(struct sleeper *sleeper)
{
    while (__atomic_load_n(&sleeper->permitted, __ATOMIC_SEQ_CST) <= sleeper->begun)
        nap(MS / 10);
    sleeper->before = own_switches();
    __atomic_fetch_add(&sleeper->begun, 1, __ATOMIC_SEQ_CST);
}

static void *sleep_in_turns(void *argument)
{
    struct sleeper *sleeper = argument;
    sleeper->pid = getpid();
    sleeper->tid = (pid_t)syscall(SYS_gettid);
    for (int turn = 0; turn < sleeper->turns; turn++) {
        begin_turn(sleeper);
        long since = now_ns();
        sleeper->wait(sleeper);
        sleeper->took_ns += now_ns() - since;
    }
    return NULL;
}

static void start_sleepers(struct sleeper *sleepers, int count, struct sleeper like)
{
    for (int i = 0; i < count; i++) {
        sleepers[i] = like;
        must(-pthread_create(&sleepers[i].thread, NULL, sleep_in_turns, &sleepers[i]), "pthread_create");
    }
}

static void join_sleepers(struct sleeper *sleepers, int count)
{
    for (int i = 0; i < count; i++)
        pthread_join(sleepers[i].thread, NULL);
}

/* Lets it begin its next turn and waits until it sleeps in it. */
static void put_to_sleep(struct sleeper *sleeper)
{
    int turn = __atomic_add_fetch(&sleeper->permitted, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&sleeper->begun, __ATOMIC_SEQ_CST) < turn)
        nap(MS / 10);
    while (!sleeps(sleeper->pid, sleeper->tid, sleeper->before))
        nap(MS / 10);
}

static long wait_here(struct sleeper *sleeper, unsigned int *word)
{
    struct timespec patience = {.tv_sec = sleeper->timeout_ns / 1000000000L, .tv_nsec = sleeper->timeout_ns % 1000000000L};
    return syscall(SYS_futex, word, sleeper->operation, *word, sleeper->timeout_ns ? &patience : NULL, NULL,
                   FUTEX_BITSET_MATCH_ANY);
}

static long wait_for_word(struct sleeper *sleeper)
{
    return wait_here(sleeper, sleeper->word);
}

/* A word of the thread's own, which the others learn of. */
static unsigned int *volatile on_stack;

static long wait_on_stack(struct sleeper *sleeper)
{
    unsigned int word = 2;
    on_stack = &word;
    return wait_here(sleeper, &word);
}

static long wait_for_vector(struct sleeper *sleeper)
{
    struct vector_entry entry = {*sleeper->word, (unsigned long)sleeper->word, NEW_FLAGS, 0};
    return syscall(SYS_futex_waitv, &entry, 1, 0, NULL, CLOCK_MONOTONIC);
}

static long wait_newly(struct sleeper *sleeper)
{
    return syscall(SYS_NEW_FUTEX_WAIT, sleeper->word, (unsigned long)*sleeper->word, 0xffffffffUL, NEW_FLAGS, NULL, CLOCK_MONOTONIC);
}

static long lock_with_inheritance(struct sleeper *sleeper)
{
    must(syscall(SYS_futex, sleeper->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), "FUTEX_LOCK_PI");
    return must(syscall(SYS_futex, sleeper->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), "FUTEX_UNLOCK_PI");
}

static void wake(unsigned int *word, int operation)
{
    must(syscall(SYS_futex, word, operation, ALL, NULL, NULL, FUTEX_BITSET_MATCH_ANY), "wake");
}

static void wake_newly(unsigned int *word, int unused)
{
    (void)unused;
    must(syscall(SYS_NEW_FUTEX_WAKE, word, 0xffffffffUL, ALL, NEW_FLAGS), "futex_wake");
}

enum end { BY_WAKE, BY_SIGNAL, BY_TIME };

static const char *comma = "";

static void report(const char *name, const void *address, pid_t pid, long waits, long timeouts, long held, int waiters,
                   int at_once, long woken, long took_ns)
{
    detail("%s{\"name\":\"%s\",\"address\":%lu,\"pid\":%d,\"waits\":%ld,\"timeouts\":%ld,\"held\":%ld,\"waiters\":%d,"
           "\"at_once\":%d,\"woken\":%ld,\"took_ns\":%ld}",
           comma, name, (unsigned long)address, pid, waits, timeouts, held, waiters, at_once, woken, took_ns);
    comma = ",";
}

/* So many threads wait so often for one word, all at once, and each wait ends in one way. */
static void known(const char *name, int count, struct sleeper like, enum end end, int is_held,
                  void (*wake_all)(unsigned int *, int), int wake_operation)
{
    struct sleeper sleepers[8];
    long took_ns = 0, waits = count * like.turns;
    nap(140 * MS); /* so that stacks are taken again */
    start_sleepers(sleepers, count, like);
    for (int turn = 0; turn < like.turns; turn++) {
        for (int i = 0; i < count; i++)
            put_to_sleep(&sleepers[i]);
        unsigned int *word = like.word ? like.word : on_stack;
        if (end == BY_WAKE)
            wake_all(word, wake_operation);
        for (int i = 0; i < count && end == BY_SIGNAL; i++)
            must(syscall(SYS_tgkill, getpid(), sleepers[i].tid, SIGUSR1), "tgkill");
    }
    join_sleepers(sleepers, count);
    for (int i = 0; i < count; i++)
        took_ns += sleepers[i].took_ns;
    report(name, like.word ? like.word : on_stack, getpid(), waits, end == BY_TIME ? waits : 0, is_held ? waits : 0, count,
           end == BY_TIME ? 0 : count, end == BY_WAKE ? waits : 0, took_ns);
}

static void inheriting(void)
{
    static unsigned int word;
    struct sleeper sleeper;
    int turns = 7;
    struct sleeper like = {.wait = lock_with_inheritance, .word = &word, .turns = turns};
    start_sleepers(&sleeper, 1, like);
    for (int turn = 0; turn < turns; turn++) {
        while (__atomic_load_n(&word, __ATOMIC_SEQ_CST))
            nap(MS / 10);
        must(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), "FUTEX_LOCK_PI");
        put_to_sleep(&sleeper);
        must(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), "FUTEX_UNLOCK_PI");
    }
    join_sleepers(&sleeper, 1);
    report("inheriting", &word, getpid(), turns, 0, turns, 1, 1, turns, sleeper.took_ns);
}

static void moved(void)
{
    static unsigned int condition, mutex;
    struct sleeper sleepers[3];
    struct sleeper like = {.wait = wait_for_word, .word = &condition, .operation = FUTEX_WAIT_PRIVATE, .turns = 1};
    long took_ns = 0;
    start_sleepers(sleepers, 3, like);
    for (int i = 0; i < 3; i++)
        put_to_sleep(&sleepers[i]);
    must(syscall(SYS_futex, &condition, FUTEX_CMP_REQUEUE_PRIVATE, 0, ALL, &mutex, 0), "FUTEX_CMP_REQUEUE");
    wake(&mutex, FUTEX_WAKE_PRIVATE);
    join_sleepers(sleepers, 3);
    for (int i = 0; i < 3; i++)
        took_ns += sleepers[i].took_ns;
    report("moved", &condition, getpid(), 3, 0, 0, 3, 3, 3, took_ns);
}

/* A word in memory that two processes share; the child waits. */
static void shared(void)
{
    struct {
        struct sleeper sleeper;
        unsigned int word;
    } *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    page->sleeper = (struct sleeper){.wait = wait_for_word, .word = &page->word, .operation = FUTEX_WAIT, .turns = 2};
    pid_t child = fork();
    if (child == 0) {
        sleep_in_turns(&page->sleeper);
        _exit(0);
    }
    for (int turn = 0; turn < 2; turn++) {
        put_to_sleep(&page->sleeper);
        wake(&page->word, FUTEX_WAKE);
    }
    must(waitpid(child, NULL, 0), "waitpid");
    report("shared", &page->word, child, 2, 0, 0, 1, 1, 2, page->sleeper.took_ns);
}

static void on_signal(int number)
{
    (void)number;
}

static void known_waits(void)
{
    static unsigned int held = 2, musl = 0x80000010, conditional = 2, timed = 1, long_timed = 1, interrupted = 5;
    static unsigned int interrupted_timed = 5, vector = 1, newly = 2;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    struct sleeper plain = {.wait = wait_for_word, .operation = FUTEX_WAIT_PRIVATE};
    struct sleeper like = plain;
#define KNOWN(name, count, how_often, end, is_held)                                                                    \
    (like.turns = (how_often), known(name, count, like, end, is_held, wake, FUTEX_WAKE_PRIVATE))
    like.word = &held;
    KNOWN("held", 5, 11, BY_WAKE, 1);
    for (int turn = 0; turn < 17; turn++)
        syscall(SYS_futex, &held, FUTEX_WAIT_PRIVATE, held + 1, NULL, NULL, 0); /* EAGAIN: no wait */
    like.word = &musl;
    KNOWN("musl", 2, 3, BY_WAKE, 1);
    like.word = &conditional;
    like.operation = FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME;
    KNOWN("conditional", 1, 13, BY_WAKE, 0);
    like = plain;
    like.word = NULL;
    like.wait = wait_on_stack;
    KNOWN("on stack", 1, 1, BY_WAKE, 0);
    like = plain;
    like.word = &timed;
    like.timeout_ns = 20 * MS;
    KNOWN("timed", 2, 7, BY_TIME, 0);
    like.timeout_ns = 900000 * MS;
    like.word = &long_timed;
    KNOWN("woken in time", 2, 3, BY_WAKE, 0);
    like.word = &interrupted_timed;
    KNOWN("interrupted in time", 1, 2, BY_SIGNAL, 0);
    like = plain;
    like.word = &interrupted;
    KNOWN("interrupted", 1, 3, BY_SIGNAL, 0);
    like.wait = wait_for_vector;
    like.word = &vector;
    if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) < 0 && errno != ENOSYS)
        KNOWN("vector", 1, 5, BY_WAKE, 0);
    like.wait = wait_newly;
    like.word = &newly;
    like.turns = 3;
    if (syscall(SYS_NEW_FUTEX_WAIT, NULL, 0, 0, 0, NULL, 0) < 0 && errno != ENOSYS)
        known("newly", 2, like, BY_WAKE, 1, wake_newly, 0);
    inheriting();
    moved();
    shared();
}

static APART pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t begin;
static long mutex_turns, mutex_switches;

static void *take_in_turns(void *unused)
{
    pthread_barrier_wait(&begin);
    long before = own_switches();
    for (long turn = 0; turn < mutex_turns; turn++) {
        pthread_mutex_lock(&mutex);
        sched_yield(); /* no voluntary switch, to the kernel */
        pthread_mutex_unlock(&mutex);
    }
    add((unsigned long *)&mutex_switches, (unsigned long)(own_switches() - before));
    return unused;
}

static void one_mutex(int count, long turns)
{
    pthread_t threads[64];
    mutex_turns = turns;
    pthread_barrier_init(&begin, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        must(-pthread_create(&threads[i], NULL, take_in_turns, NULL), "pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    report("mutex", &mutex, getpid(), mutex_switches, 0, mutex_switches, count, 0, 0, 0);
}

static APART pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static APART pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static APART sem_t semaphore;
static APART int ready;

static long take_mutex(struct sleeper *unused)
{
    (void)unused;
    return pthread_mutex_lock(&mutex) + pthread_mutex_unlock(&mutex);
}

static long read_locked(struct sleeper *unused)
{
    (void)unused;
    return pthread_rwlock_rdlock(&rwlock) + pthread_rwlock_unlock(&rwlock);
}

static long take_semaphore(struct sleeper *unused)
{
    (void)unused;
    return sem_wait(&semaphore);
}

static long await_condition(struct sleeper *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    while (!ready)
        pthread_cond_wait(&condition, &mutex);
    ready = 0;
    return pthread_mutex_unlock(&mutex);
}

/* One thread waits so often; others do before and behind it what lets it wait, and go on. */
static void by_library(const char *name, const void *object, long (*wait)(struct sleeper *), int turns, int is_held,
                       int (*before)(void), int (*behind)(void))
{
    struct sleeper sleeper;
    start_sleepers(&sleeper, 1, (struct sleeper){.wait = wait, .turns = turns});
    for (int turn = 0; turn < turns; turn++) {
        /* Its last turn is over when it waits to be permitted the next one. */
        nap(10 * MS);
        if (before)
            before();
        put_to_sleep(&sleeper);
        behind();
    }
    join_sleepers(&sleeper, 1);
    report(name, object, getpid(), turns, 0, is_held ? turns : 0, 1, 1, turns, sleeper.took_ns);
}

static int lock_mutex(void) { return pthread_mutex_lock(&mutex); }
static int unlock_mutex(void) { return pthread_mutex_unlock(&mutex); }
static int lock_for_writing(void) { return pthread_rwlock_wrlock(&rwlock); }
static int unlock_rwlock(void) { return pthread_rwlock_unlock(&rwlock); }
static int post(void) { return sem_post(&semaphore); }

static int signal_condition(void)
{
    pthread_mutex_lock(&mutex);
    ready = 1;
    pthread_mutex_unlock(&mutex);
    return pthread_cond_signal(&condition);
}

static void library(void)
{
    by_library("mutex", &mutex, take_mutex, 7, 1, lock_mutex, unlock_mutex);
    by_library("rwlock", &rwlock, read_locked, 5, 0, lock_for_writing, unlock_rwlock);
    by_library("semaphore", &semaphore, take_semaphore, 11, 0, NULL, post);
    by_library("condition", &condition, await_condition, 13, 0, NULL, signal_condition);
}

static void many_threads(int count)
{
    static unsigned int word = 2;
    struct sleeper sleeper, like = {.wait = wait_for_word, .word = &word, .operation = FUTEX_WAIT_PRIVATE, .turns = 1};
    for (int i = 0; i < count; i++) {
        start_sleepers(&sleeper, 1, like);
        put_to_sleep(&sleeper);
        wake(&word, FUTEX_WAKE_PRIVATE);
        join_sleepers(&sleeper, 1);
    }
    report("threads", &word, getpid(), count, 0, count, count, 1, count, 0);
}

int main(int argc, char **argv)
{
    must(argc >= 2 ? 0 : -1, "usage: see above");
    load_prepare();
    sem_init(&semaphore, 0, 0);
    load_start();
    detail(",\"waker\":%ld,\"locks\":[", syscall(SYS_gettid));
    if (!strcmp(argv[1], "known"))
        known_waits();
    else if (!strcmp(argv[1], "mutex"))
        one_mutex(atoi(argv[2]), atol(argv[3]));
    else if (!strcmp(argv[1], "library"))
        library();
    else if (!strcmp(argv[1], "threads"))
        many_threads(atoi(argv[2]));
    detail("]");
    load_print();
    load_wait_for_line();
    return 0;
}
