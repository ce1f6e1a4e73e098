/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that go from one to another, by message, thread, fork or execution; those that end many at a time. */

#define CONTROL_BYTES 4096

static void send_descriptors(int to, const int *fds, int count)
{
    char byte = 'x', control[CONTROL_BYTES] __attribute__((aligned(8))) = {0};
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count)};
    memcpy(CMSG_DATA(head), fds, sizeof(int) * (size_t)count);
    must(sendmsg(to, &message, 0), "sendmsg");
}

static void take(struct msghdr *message, const enum kind *kinds)
{
    int place = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        int fds[256], count = (int)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(fds, CMSG_DATA(head), sizeof(int) * (size_t)count);
        for (int i = 0; i < count; i++, place++)
            open_and_close(kinds ? kinds[place] : REGULAR, fds[i]);
    }
}

static void receive(int from, int flags, size_t room, const enum kind *kinds)
{
    char byte, control[CONTROL_BYTES] __attribute__((aligned(8)));
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room ? control : NULL, .msg_controllen = room};
    must(recvmsg(from, &message, flags), "recvmsg");
    take(&message, kinds);
}

static void receive_several(int from, int count)
{
    char bytes[3], control[3][CONTROL_BYTES] __attribute__((aligned(8)));
    struct iovec parts[3];
    struct mmsghdr messages[3] = {0};
    for (int i = 0; i < 3; i++) {
        parts[i] = (struct iovec){.iov_base = &bytes[i], .iov_len = 1};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = CONTROL_BYTES};
    }
    int got = (int)must(recvmmsg(from, messages, 3, MSG_DONTWAIT, NULL), "recvmmsg");
    if (got != count)
        die("recvmmsg gave other messages");
    for (int i = 0; i < got; i++)
        take(&messages[i].msg_hdr, NULL);
}

static void received(void)
{
    int ends[2], fds[5], many[253], one = 1;
    const enum kind kinds[] = {REGULAR, SOCKET, OTHER, PIPE, REGULAR};
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), "socketpair");
    fds[0] = fds[4] = open_file(0);
    fds[1] = opened(SOCKET, ends[0]);
    opened(SOCKET, ends[1]);
    fds[2] = opened(OTHER, must(eventfd(0, 0), "eventfd"));
    fds[3] = 0;
    must(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), "SO_PASSCRED"); /* a control message of another kind */
    TIMES(3)
    {
        send_descriptors(ends[0], fds, 5);
        receive(ends[1], MSG_PEEK, CONTROL_BYTES, kinds); /* gives them too */
        receive(ends[1], 0, CONTROL_BYTES, kinds);
    }
    send_descriptors(ends[0], fds, 5);
    receive(ends[1], 0, 0, NULL); /* no room for any */
    send_descriptors(ends[0], fds, 5);
    receive(ends[1], 0, CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 2), kinds); /* room for some */
    for (int i = 0; i < 253; i++)
        many[i] = fds[0];
    send_descriptors(ends[0], many, 253); /* the most that a message can have */
    receive(ends[1], 0, CONTROL_BYTES, NULL);
    TIMES(3) send_descriptors(ends[0], many, 2 + turn);
    receive_several(ends[1], 3);
    close_one(REGULAR, fds[0]);
    close_one(OTHER, fds[2]);
    close_one(SOCKET, ends[0]);
    close_one(SOCKET, ends[1]);
}

#define SHARED 331
static int shared[SHARED];
static pthread_barrier_t together;

/* Each closes all: who comes second is told EBADF. */
static void *close_all(void *unused)
{
    for (int i = 0; i < SHARED; i++) {
        pthread_barrier_wait(&together);
        close_one(i % 2 ? REGULAR : PIPE, shared[i]);
    }
    return unused;
}

static void between_threads(void)
{
    pthread_t threads[2];
    int ends[2];
    for (int i = 0; i + 1 < SHARED; i += 2) {
        must(pipe(ends), "pipe");
        shared[i] = opened(PIPE, ends[0]);
        open_and_close(PIPE, ends[1]);
        shared[i + 1] = open_file(0);
    }
    must(pipe(ends), "pipe");
    shared[SHARED - 1] = opened(PIPE, ends[0]);
    open_and_close(PIPE, ends[1]);
    pthread_barrier_init(&together, NULL, 2);
    for (int i = 0; i < 2; i++) {
        add(&load->tallies[PROCESSES_FORK_THREAD].count, 1);
        pthread_create(&threads[i], NULL, close_all, NULL);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void ranges(void)
{
    int first = 500;
    for (int fd = first; fd < first + 400; fd += 3)
        must(opened(REGULAR, dup3(open_file(0), fd, 0)), "dup3");
    for (int fd = 3; fd < HIGHEST; fd++)
        if (fd < first && fcntl(fd, F_GETFD) >= 0)
            close_one(REGULAR, fd);
    int event = opened(OTHER, must(eventfd(0, 0), "eventfd"));
    must(opened(OTHER, dup3(event, first + 1, 0)), "dup3");
    syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC); /* closes nothing yet; older kernels refuse it */
    syscall(SYS_close_range, first + 100, first, 0);    /* refused: turned around */
    syscall(SYS_close_range, first, first + 100, 4711); /* refused: no such flag */
    must(syscall(SYS_close_range, first, first + 33, 0), "close_range");
    add(&counts->closed[REGULAR], 12);
    add(&counts->closed[OTHER], 1);
    must(syscall(SYS_close_range, first + 34, ~0U, CLOSE_RANGE_UNSHARE), "close_range");
    add(&counts->closed[REGULAR], 134 - 12);
    must(syscall(SYS_close_range, first, ~0U, 0), "close_range of none");
    close_one(OTHER, event);
}

static void *execute(void *unused)
{
    execl("/proc/self/exe", "descriptors", "executed", NULL);
    die("exec");
    return unused;
}

static void executions(void)
{
    pthread_t thread;
    for (int way = 0; way < 3; way++) {
        add(&load->tallies[PROCESSES_FORK_PROCESS].count, 1);
        pid_t child = fork();
        if (child == 0) {
            TIMES(7) open_file(O_CLOEXEC);
            TIMES(3) open_file(0);
            TIMES(5) opened(SOCKET, must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
            TIMES(2) opened(OTHER, must(eventfd(0, EFD_CLOEXEC), "eventfd"));
            execl(in_directory("absent"), "absent", NULL);
            execl(in_directory("file"), "file", NULL);
            if (way == 0)
                close_one(REGULAR, opened(REGULAR, dup3(open_file(0), 950, O_CLOEXEC))); /* leaves a bit behind */
            count_table(counts->closed, 1);
            count_table(counts->ended, 0);
            if (way == 2) {
                add(&load->tallies[PROCESSES_FORK_THREAD].count, 1);
                pthread_create(&thread, NULL, execute, NULL);
                pthread_join(thread, NULL);
            }
            execute(NULL);
        }
        reap(child);
    }
}

static void *wait_for_the_end(void *unused)
{
    pause();
    return unused;
}

static void ends(void)
{
    int told[2];
    pthread_t thread;
    must(pipe(told), "pipe");
    opened(PIPE, told[0]);
    opened(PIPE, told[1]);
    for (int way = 0; way < 5; way++) {
        char byte = 'x';
        add(&load->tallies[PROCESSES_FORK_PROCESS].count, 1);
        pid_t child = fork();
        if (child == 0) {
            TIMES(17 + way) open_file(0);
            TIMES(19) opened(SOCKET, must(socket(AF_UNIX, SOCK_STREAM, 0), "socket"));
            TIMES(3) opened(OTHER, must(eventfd(0, 0), "eventfd"));
            count_end();
            if (way % 2) {
                add(&load->tallies[PROCESSES_FORK_THREAD].count, 1);
                pthread_create(&thread, NULL, wait_for_the_end, NULL);
            }
            if (way == 0)
                _exit(3);
            must(write(told[1], &byte, 1), "write");
            pause();
        }
        if (way > 0) {
            must(read(told[0], &byte, 1), "read");
            kill(child, SIGKILL);
        }
        reap(child);
    }
    close_one(PIPE, told[0]);
    close_one(PIPE, told[1]);
}
