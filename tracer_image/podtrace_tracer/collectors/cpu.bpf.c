/* SPDX-License-Identifier: GPL-2.0 */
/* cpu: threads that leave a CPU and come back, what they waited for meanwhile, and how long each process ran. */

#include <uapi/linux/bpf_perf_event.h>

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

/* Where samples found threads. The place itself stands apart from its stack, so that the places of a function share their callers:
 * in user space the stack's first address is left out. Two tables of each: the tracer empties those while the programs fill these. */
struct cpu_sample {
	struct image image;
	u64 address; /* 0 in the kernel */
	u64 stack;   /* by its hash; 0 if there is none, or no place for it */
};
BPF_HASH(cpu_samples_0, struct cpu_sample, u64, MAX_CPU_SAMPLES);
BPF_HASH(cpu_samples_1, struct cpu_sample, u64, MAX_CPU_SAMPLES);
BPF_HASH(sample_stacks_0, u64, struct stack, MAX_SAMPLE_STACKS);
BPF_HASH(sample_stacks_1, u64, struct stack, MAX_SAMPLE_STACKS);
BPF_ARRAY(cpu_samples_side, u32, 1);

#define NEW_SAMPLES 8

/* A process's first samples tell the tracer to look at its memory map. */
static __always_inline void sample_image(struct task_struct *task, const struct image *image)
{
	struct cpu_key key = cpu_key_of(task);
	struct cpu_process *process = cpu_processes.lookup(&key);
	if (process && process->samples <= NEW_SAMPLES)
		image_send(image, process->node_pid, process->pid);
}

/* A function that has only just begun, or is about to return, has no frame: its return address is on top of the stack. */
static __always_inline u64 unframed_caller(struct bpf_perf_event_data *ctx, u64 address)
{
	u64 caller = 0;
#ifndef __aarch64__
	u64 place = SAMPLED_STACK_POINTER(ctx);
	u32 code = 0;
	read_user(&code, sizeof(code), (void *)address);
	int is_pushed = (code & 0xffffff) == 0xe58948;					   /* MOV RBP, RSP */
	int is_top = (code & 0xff) == 0x55 || (code & 0xff) == 0xc3 || code == 0xfa1e0ff3; /* PUSH RBP, RET, ENDBR64 */
	if (!is_pushed && !is_top)
		return 0;
	read_user(&caller, sizeof(caller), (void *)(place + (is_pushed ? sizeof(caller) : 0)));
#endif
	return is_behind_call(caller) ? caller : 0;
}

/* The user stack of a sample, by its hash: in the kernel that of the system call, or of the place that was interrupted. */
static __always_inline u64 sample_stack(struct bpf_perf_event_data *ctx, struct task_struct *task, u64 address,
					u32 side)
{
	u32 scratch = SCRATCH_INTERRUPT;
	struct stack *stack = stack_scratch.lookup(&scratch);
	if (!stack)
		return 0;
	long size = bpf_get_stack(ctx, stack->frames, sizeof(stack->frames), BPF_F_USER_STACK);
	if (size < 8)
		return 0;
	stack->count = (u64)size / 8;
	__builtin_memset(stack->further, 0, sizeof(stack->further));
	if (address) {
		stack->caller = unframed_caller(ctx, address);
		stack->frames[0] = 0;
	} else {
		struct pt_regs *regs = entry_registers(task);
		int in_call = is_in_call(regs);
		stack->caller = in_call ? hidden_caller(regs) : 0;
		stack->frames[0] += !in_call; /* the other ones are places behind a call */
	}
	u64 hash = stack_hash(stack);
	if (side)
		return sample_stacks_1.lookup(&hash) || !sample_stacks_1.update(&hash, stack) ? hash : 0;
	return sample_stacks_0.lookup(&hash) || !sample_stacks_0.update(&hash, stack) ? hash : 0;
}

static __always_inline void sample_seen(struct bpf_perf_event_data *ctx, struct task_struct *task, u32 scope)
{
	struct cpu_sample sample = {};
	u32 first = 0;
	u64 zero = 0, *count = 0;
	u32 *filled = cpu_samples_side.lookup(&first), side = filled ? *filled : 0;
	fill_image(&sample.image, task, scope);
	sample.address = SAMPLED_IN_USER(ctx) ? SAMPLED_ADDRESS(ctx) : 0;
	sample.stack = sample_stack(ctx, task, sample.address, side);
	if (side)
		count = cpu_samples_1.lookup_or_try_init(&sample, &zero);
	else
		count = cpu_samples_0.lookup_or_try_init(&sample, &zero);
	if (!count)
		return; /* the process has it all the same, and the list of functions says how many it lacks */
	if (!*count && (sample.address || sample.stack))
		sample_image(task, &sample.image);
	__sync_fetch_and_add(count, 1);
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
