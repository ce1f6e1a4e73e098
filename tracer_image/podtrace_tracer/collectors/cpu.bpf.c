/* SPDX-License-Identifier: GPL-2.0 */
/* cpu: threads that leave a CPU and come back, what they waited for meanwhile, and how long each process ran. */

/* What a CPU runs, and how much the kernel had charged that thread when it was looked at last. */
struct running {
	u64 charged_ns;
	u32 tid;
	u32 unused;
};
BPF_PERCPU_ARRAY(running, struct running, 1);

static __always_inline void thread_comes(struct off_cpu *thread, u64 now, int is_next)
{
	lock_comes(thread, now, is_next);
	u32 tid = thread->tid, scope = thread->scope, operation = thread->operation, in_call = thread->in_call;
	u64 left = thread->left_ns, woken = thread->woken_ns;
	thread->tid = 0;
	if (now < left)
		now = left;
	count_sample(scope, OP_CPU_BLOCK, now - left, NO_THRESHOLD);
	int is_woken = operation != OP_CPU_RUN_QUEUE && woken > left && woken <= now;
	u64 waited = (is_woken ? woken : now) - left;
	count_sample(scope, operation, waited, NO_THRESHOLD);
	if (is_woken)
		count_sample(scope, OP_CPU_RUN_QUEUE, now - woken, NO_THRESHOLD);
	if (waited < LONG_WAIT_NS || !in_call)
		return;
	if (is_next)
		long_wait_noted(tid, scope, operation, waited);
	else
		lose(LOST_LONG_WAITS); /* it runs already, and may be in another call by now */
}

/* What the thread on this CPU ran since it was looked at last. A kernel may run no programs while certain tasks are current, and
 * then nobody sees who follows them: that thread has come as long ago as it has run. */
static __always_inline u64 time_run(const struct running *cpu, u32 tid, u64 charged, u64 now)
{
	if (cpu->tid == tid)
		return charged - cpu->charged_ns;
	struct off_cpu *thread = off_cpu_of(tid);
	/* It ran before the probes were attached: since when is not known. */
	if (!thread)
		return 0;
	u64 ran_ns = charged - thread->charged_ns;
	thread_comes(thread, now - ran_ns, 0);
	return ran_ns;
}

/* Returns what its wait is, if that takes a look at the descriptors that it waits for, else 0. */
static __always_inline u32 thread_leaves(struct bpf_raw_tracepoint_args *ctx, u32 tid, u64 now, u64 charged, u64 ran_ns)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];
	u32 scope = count_run(task, now, ran_ns, 1, 0);
	struct total *total = total_of(scope, OP_CPU_SWITCH);
	if (total)
		total->count++;
	u32 state = task_state(task);
#ifdef SWITCH_SAYS_STATE
	/* What it was before a wake-up that may be on its way already. */
	state = state ? ctx->args[3] : 0;
#endif
	if (state & STATE_DEAD)
		return 0;
	struct off_cpu *thread = off_cpu_holding(tid, 0);
	if (!thread) {
		lose(LOST_CPU_WAITS);
		return 0;
	}
	u32 class = 0, in_call = 0;
	thread->operation = OP_CPU_RUN_QUEUE;
	if (!(u8)ctx->args[0] && state) {
		struct pt_regs *regs = entry_registers(task);
		class = wait_class(regs);
		thread->operation = wait_operation(task, regs, state, class);
		/* Stops by a signal come behind the end of a call, and nothing comes behind that of a thread. */
		in_call = state & (STATE_INTERRUPTIBLE | STATE_UNINTERRUPTIBLE) && is_in_call(regs) &&
			  !(READ(task, flags) & TASK_EXITING);
	}
	thread->in_call = in_call;
	thread->scope = scope;
	thread->left_ns = now;
	thread->woken_ns = 0;
	thread->charged_ns = charged;
	thread->lock_address = 0;
	thread->tid = tid;
	return state & STATE_INTERRUPTIBLE ? class : 0;
}

PROBE(sched_switch)
{
	struct task_struct *previous = (struct task_struct *)ctx->args[1], *next = (struct task_struct *)ctx->args[2];
	u32 first = 0, tid = READ(previous, pid), next_tid = READ(next, pid), class = 0;
	struct running *cpu = running.lookup(&first);
	if (!cpu)
		return 0;
	if (tracing()) {
		int leaves = tid && runs_in_scope(previous);
		struct off_cpu *thread = next_tid ? off_cpu_of(next_tid) : 0;
		/* Most switches of a node are between others' threads: reading the clock is the dearest part of them. */
		u64 now = leaves || thread ? bpf_ktime_get_ns() : 0;
		if (leaves) {
			u64 charged = READ(previous, se__sum_exec_runtime);
			u64 ran_ns = time_run(cpu, tid, charged, now);
			class = thread_leaves(ctx, tid, now, charged, ran_ns);
		}
		if (thread)
			thread_comes(thread, now, 1);
	}
	cpu->tid = next_tid;
	cpu->charged_ns = READ(next, se__sum_exec_runtime);
	u32 tail = next_after_switch(class);
	if (tail != TAILS)
		follow_up(ctx, tail);
	return 0;
}

/* The rest of a switch whose thread waits for several descriptors. It has not left its CPU yet, so nobody has woken it. */
PROBE(descriptor_wait)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];
	struct off_cpu *thread = off_cpu_of(READ(task, pid));
	if (!thread)
		return 0;
	struct pt_regs *regs = entry_registers(task);
	u32 class = wait_class(regs);
	if (class == WAIT_POLL)
		thread->operation = poll_operation(regs);
	else if (class == WAIT_SELECT)
		thread->operation = select_operation(regs);
	else if (class == WAIT_EPOLL)
		thread->operation = epoll_operation(regs);
	return 0;
}

/* In interrupts too: the current task means nothing here. */
PROBE(sched_wakeup)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	u32 tid = READ(task, pid);
	struct off_cpu *thread = tid ? off_cpu_of(tid) : 0;
	if (thread && !thread->woken_ns)
		thread->woken_ns = bpf_ktime_get_ns();
	return 0;
}

/* 99 times a second on each CPU: a sample, and the time that a thread has run which does not leave its CPU. */
CLOCK_PROBE(cpu_clock)
{
	struct task_struct *task = CURRENT_TASK;
	u32 first = 0, tid = READ(task, pid);
	struct running *cpu = running.lookup(&first);
	if (!cpu || !tid)
		return 0;
	u64 now = bpf_ktime_get_ns(), charged = READ(task, se__sum_exec_runtime);
	if (tracing() && runs_in_scope(task))
		sample_seen(ctx, task, count_run(task, now, time_run(cpu, tid, charged, now), 0, 1));
	cpu->tid = tid;
	cpu->charged_ns = charged;
	return 0;
}
