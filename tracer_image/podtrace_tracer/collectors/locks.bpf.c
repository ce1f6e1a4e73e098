/* SPDX-License-Identifier: GPL-2.0 */
/* locks: which futex threads wait for, how long, and who wakes them. The programs of the topic cpu see them leave and come. */

/* linux/futex.h: what the second argument of futex asks for */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP 5
#define FUTEX_LOCK_PI 6
#define FUTEX_UNLOCK_PI 7
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_CMP_REQUEUE_PI 12
#define FUTEX_LOCK_PI2 13
#define FUTEX_COMMAND 0x7f
#define FUTEX_CLOCK_REALTIME 256

#define COMMAND_BIT(name) (1u << (name))
#define WAITING_COMMANDS                                                                                               \
	(COMMAND_BIT(FUTEX_WAIT) | COMMAND_BIT(FUTEX_WAIT_BITSET) | COMMAND_BIT(FUTEX_WAIT_REQUEUE_PI) |               \
	 COMMAND_BIT(FUTEX_LOCK_PI) | COMMAND_BIT(FUTEX_LOCK_PI2))
#define LOCKING_COMMANDS (COMMAND_BIT(FUTEX_LOCK_PI) | COMMAND_BIT(FUTEX_LOCK_PI2))
#define WAKING_COMMANDS                                                                                                \
	(COMMAND_BIT(FUTEX_WAKE) | COMMAND_BIT(FUTEX_REQUEUE) | COMMAND_BIT(FUTEX_CMP_REQUEUE) |                       \
	 COMMAND_BIT(FUTEX_WAKE_OP) | COMMAND_BIT(FUTEX_UNLOCK_PI) | COMMAND_BIT(FUTEX_WAKE_BITSET) |                  \
	 COMMAND_BIT(FUTEX_CMP_REQUEUE_PI))

/* What is so little above a thread's stack pointer is a variable of its own. */
#define NEAR_STACK 65536
#define MOST_QUEUED 0xffff

/* What a call waits for. */
struct awaited {
	u64 address;
	u32 value;
	u32 flags;
};

/* Values by which locks say that they are held and waited for: 2 in those of glibc, Go's runtime and Rust; a top bit with an
 * owner or a number of threads below it in musl and in robust locks. */
static __always_inline int says_held(u32 value)
{
	return value == 2 || (value > 0x80000000 && value != 0xffffffff);
}

static __always_inline u32 futex_command(struct pt_regs *regs)
{
	u32 command = SYSCALL_ARG1(regs) & FUTEX_COMMAND;
	return command < 32 ? COMMAND_BIT(command) : 0;
}

static __always_inline void await_futex(struct pt_regs *regs, struct awaited *awaited)
{
	u32 command = futex_command(regs);
	if (!(command & WAITING_COMMANDS))
		return;
	awaited->address = SYSCALL_ARG0(regs);
	/* So glibc waits for conditions, whose values count and pass by those of a lock. */
	if (!(SYSCALL_ARG1(regs) & FUTEX_CLOCK_REALTIME))
		awaited->value = SYSCALL_ARG2(regs);
	awaited->flags = (SYSCALL_ARG3(regs) ? LOCK_HAS_TIMEOUT : 0) | (command & LOCKING_COMMANDS ? LOCK_HELD : 0);
}

/* Of several the first stands for all. */
static __always_inline void await_futexes(struct pt_regs *regs, struct awaited *awaited)
{
	u64 value_and_address[2] = {};
	read_user(value_and_address, sizeof(value_and_address), (void *)SYSCALL_ARG0(regs));
	awaited->address = value_and_address[1];
	awaited->flags = SYSCALL_ARG3(regs) ? LOCK_HAS_TIMEOUT : 0;
}

static __always_inline void await_new_futex(struct pt_regs *regs, struct awaited *awaited)
{
	awaited->address = SYSCALL_ARG0(regs);
	awaited->value = SYSCALL_ARG1(regs);
	awaited->flags = SYSCALL_ARG4(regs) ? LOCK_HAS_TIMEOUT : 0;
}

/* The rest of a switch whose thread waits for a futex. It has not left its CPU yet, so nobody has brought it back. */
PROBE(lock_wait)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];
	struct off_cpu *thread = off_cpu_of(READ(task, pid));
	if (!thread || thread->operation != OP_CPU_LOCK)
		return 0;
	struct pt_regs *regs = entry_registers(task);
	u32 class = wait_class(regs);
	struct awaited awaited = {};
	if (class == WAIT_LOCK)
		await_futex(regs, &awaited);
	else if (class == WAIT_LOCKS)
		await_futexes(regs, &awaited);
	else if (class == WAIT_NEW_LOCK)
		await_new_futex(regs, &awaited);
	if (!awaited.address)
		return 0;
	if (says_held(awaited.value) && awaited.address - READ(regs, sp) >= NEAR_STACK)
		awaited.flags |= LOCK_HELD;
	struct lock_key key = lock_key_of(task, awaited.address, thread->scope);
	u64 queued = lock_queue_joined(&key);
	if (queued)
		awaited.flags |= LOCK_QUEUED | (queued < MOST_QUEUED ? queued : MOST_QUEUED) << 16;
	thread->lock_flags = awaited.flags;
	thread->lock_stack =
		lock_stack(ctx, awaited.flags & LOCK_HELD ? LOCK_STACK_HELD : LOCK_STACK_OTHER, thread->left_ns, regs);
	thread->lock_address = awaited.address;
	return 0;
}

/* Did it give up? If none of the target woke it and no signal did; but whoever woke it while it was leaving was not seen. */
static __always_inline int gave_up(u32 flags)
{
	return (flags & LOCK_HAS_TIMEOUT) && !(flags & (LOCK_WOKEN | LOCK_INTERRUPTED | LOCK_WAKING_MISSED));
}

static __always_inline void count_lock_wait(struct task_struct *task, const struct lock_came *came)
{
	u32 timed_out = gave_up(came->flags);
	if (came->flags & LOCK_HELD)
		count_sample(came->scope, OP_LOCKS_CONTENDED, came->waited_ns, NO_THRESHOLD);
	if (timed_out)
		count_once(came->scope, OP_LOCKS_TIMEOUT);
	struct lock_key key = lock_key_of(task, came->address, came->scope);
	if (came->flags & LOCK_QUEUED)
		lock_queue_left(&key);
	struct lock_thread *row = lock_thread_of(&key, task, task);
	if (!row) {
		lose(LOST_LOCK_THREADS);
		return;
	}
	u64 queued = came->flags >> 16;
	row->waits++;
	row->timeouts += timed_out;
	row->held += came->flags & LOCK_HELD;
	row->sum_ns += came->waited_ns;
	if (came->waited_ns > row->max_ns)
		row->max_ns = came->waited_ns;
	if (queued > row->max_queue)
		row->max_queue = queued;
	keep_wait_stack(row, task, came->stack, came->waited_ns, came->scope);
}

PROBE(lock_came)
{
	u32 first = 0;
	struct lock_work *work = lock_work.lookup(&first);
	if (!work)
		return 0;
	int of_previous = work->previous.tid != 0;
	struct lock_came *came = of_previous ? &work->previous : &work->next;
	u64 previous = ctx->args[1], next = ctx->args[2];
	/* Keeps clang from choosing the argument's place instead of its value, which the verifier refuses. */
	asm volatile("" : "+r"(previous), "+r"(next));
	struct task_struct *task = (struct task_struct *)(of_previous ? previous : next);
	u32 tid = came->tid;
	came->tid = 0;
	/* Another one's, if the end of the switch in which it was noted was not seen. */
	if (tid == READ(task, pid))
		count_lock_wait(task, came);
	else
		lose(LOST_LOCK_THREADS);
	u32 tail = next_after_switch(work->class);
	if (tail != TAILS)
		follow_up(ctx, tail);
	return 0;
}

#ifdef PROBE_SCHED_WAKING
static __always_inline int signal_pending(struct task_struct *task)
{
	struct signal_struct *shared = READ(task, signal);
	u64 pending = READ(task, pending__signal__sig[0]) | READ(shared, shared_pending__signal__sig[0]);
	return (pending & ~(u64)READ(task, blocked__sig[0])) != 0;
}

/* Does the current task wake the thread, in a system call or by its own end, and at the address that it waits for? In an
 * interrupt it does not, but could be in such a call all the same: where the address is another one (the thread was moved to
 * it), only what cannot have been an interrupt is believed. */
static __always_inline u32 ends_wait(struct task_struct *task, const struct off_cpu *thread)
{
	struct task_struct *current = CURRENT_TASK;
	struct pt_regs *regs = entry_registers(current);
	u32 class = wait_class(regs), command = class == WAIT_LOCK ? futex_command(regs) : 0;
	int wakes = class == WAIT_WAKE || command & WAKING_COMMANDS;
	u64 address = thread->lock_address;
	if (wakes && SYSCALL_ARG0(regs) == address)
		return LOCK_WOKEN;
	if (command == COMMAND_BIT(FUTEX_WAKE_OP) && SYSCALL_ARG4(regs) == address)
		return LOCK_WOKEN;
	if (signal_pending(task))
		return LOCK_INTERRUPTED;
	int ends = READ(current, flags) & TASK_EXITING && READ(current, tgid) == READ(task, tgid);
	if (ends && (u64)READ(current, clear_child_tid) == address)
		return LOCK_WOKEN;
	return (wakes || ends) && !(thread->lock_flags & LOCK_HAS_TIMEOUT) ? LOCK_WOKEN : 0;
}

PROBE(lock_wake)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	struct off_cpu *thread = off_cpu_of(READ(task, pid));
	if (!thread)
		return 0;
	u32 end = ends_wait(task, thread);
	struct task_struct *current = CURRENT_TASK;
	thread->lock_flags |= LOCK_WAKING_SEEN | end;
	if (end != LOCK_WOKEN || !runs_in_scope(current))
		return 0;
	struct lock_key key = lock_key_of(task, thread->lock_address, thread->scope);
	struct lock_thread *row = lock_thread_of(&key, task, current);
	u64 now = bpf_ktime_get_ns();
	if (!row || now < thread->left_ns)
		return 0;
	row->woken++;
	row->woken_ns += now - thread->left_ns;
	keep_waker_stack(ctx, row, now - thread->left_ns, now, thread->scope);
	return 0;
}

/* By whoever wakes a thread, while that one still sleeps. In interrupts too. */
PROBE(sched_waking)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	u32 tid = READ(task, pid);
	struct off_cpu *thread = tid ? off_cpu_of(tid) : 0;
	if (thread && thread->lock_address && !thread->woken_ns && tracing())
		follow_up(ctx, TAIL_LOCK_WAKE);
	return 0;
}
#endif
