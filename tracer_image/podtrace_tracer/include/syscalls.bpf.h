/* SPDX-License-Identifier: GPL-2.0 */
/* What is remembered between the two ends of a system call. */

/* Number -> CLASS_ constant, filled by the tracer for this architecture and the topics asked for. */
BPF_ARRAY(syscall_classes, u32, SYSCALL_NUMBERS);

#define CALL_ACTIVE 1
#define CALL_ATTEMPT_SEEN 2
#define CALL_ATTEMPT_FAILED 4
#define CALL_WAS_UNCONNECTED 8
#define CALL_PEEKS 16
#define CALL_WAITED 32 /* a program is to take the stack at its end (long_waits.bpf.h) */

struct call {
	u64 start;
	struct file *file;
	u32 tid;
	u32 flags;
	u32 class;
	u32 kind; /* of the descriptor that the call may close, from 1 */
};
/* By the low bits of the thread id, checked against the whole: a collision costs a latency, and no count but
 * that of a connect that fails before its socket has done anything. */
BPF_ARRAY(calls, struct call, CALL_SLOTS);

static __always_inline struct call *call_slot(u32 tid)
{
	u32 index = tid & (CALL_SLOTS - 1);
	return calls.lookup(&index);
}

/* The system call that a thread is in, if its beginning was seen. */
static __always_inline struct call *call_of(u32 tid)
{
	struct call *call = call_slot(tid);
	if (!call || call->tid != tid || !(call->flags & CALL_ACTIVE))
		return 0;
	/* Keeps clang from making one bit operation out of flag and pointer, which the verifier refuses. */
	asm volatile("" : "+r"(call));
	return call;
}

static __always_inline struct call *current_call(void)
{
	return call_of(bpf_get_current_pid_tgid());
}

/* A thread that is killed inside a call never returns from it: the next one with its id must not be found in it. */
static __always_inline void forget_thread(u32 tid)
{
	struct call *call = call_slot(tid);
	if (call && call->tid == tid)
		call->flags = 0;
}

/* What the end of a system call leaves to programs of their own, so that the verifier need not check it on every way through
 * the first: bringing a process to book, the calls that are not a plain transfer, and the walk up a path. */
BPF_PROG_ARRAY(tails, TAILS);
#ifdef CALLS_BY_EVENTS
/* For programs of raw tracepoints: those of one kind cannot go on in those of another. */
BPF_PROG_ARRAY(raw_tails, TAILS);
#endif

/* Goes on in another program of a raw tracepoint, and does not come back. */
static __always_inline void follow_up(struct bpf_raw_tracepoint_args *ctx, u32 tail)
{
	give_cpu();
#ifdef CALLS_BY_EVENTS
	raw_tails.call(ctx, tail);
#else
	tails.call(ctx, tail);
#endif
	keep_cpu();
}

/* What an operation was about: a file, or the other side of a socket. */
struct slow_target {
	struct file_key file;
	u64 address[2];
	u16 family;
	u16 port;
	u32 unused;
};

struct slow_operation {
	u64 duration_ns;
	u32 operation;
	u32 scope;
	struct slow_target target;
};

struct tail_work {
	u64 now;
	u64 bytes;
	u64 messages;
	u32 unregistered;
	u32 scope;
	u32 paths;
	u32 ends_done;
	u32 received_done;
	u32 dns;
	struct file_key keys[2];
	u64 files[2];
	struct slow_operation slow[2];
	u32 slow_count;
	u32 openings;
};
BPF_PERCPU_ARRAY(tail_work, struct tail_work, 1);

static __always_inline struct tail_work *current_tail_work(void)
{
	u32 first = 0;
	return tail_work.lookup(&first);
}

/* Leaves an operation above its threshold, and the stack behind it, to a program that follows the end of the call; returns where
 * its target is to be noted, 0 if its duration is not known or below. */
static __always_inline struct slow_target *slow_seen(u32 operation, u32 scope, const struct done *done, u64 threshold)
{
	struct tail_work *work = current_tail_work();
	u64 duration = done->start ? done->now - done->start : 0;
	if (!work || duration <= threshold)
		return 0;
	if (work->slow_count > 1) {
		lose(LOST_STACK_COUNTS);
		return 0;
	}
	struct slow_operation *slow = &work->slow[work->slow_count & 1];
	__builtin_memset(slow, 0, sizeof(*slow));
	slow->duration_ns = duration;
	slow->operation = operation;
	slow->scope = scope;
	work->slow_count++;
	return &slow->target;
}

/* What may follow the end of a call, one program behind the other. Comes back only where there is nothing. */
static __always_inline void go_on(struct call_context *ctx, const struct tail_work *work)
{
	if (work->dns)
		tails.call(ctx, TAIL_DNS);
	if (work->openings)
		tails.call(ctx, TAIL_OPENERS);
	if (work->slow_count)
		tails.call(ctx, TAIL_STACKS);
	if (work->paths)
		tails.call(ctx, TAIL_PATHS);
}
