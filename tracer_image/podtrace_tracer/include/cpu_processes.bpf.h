/* SPDX-License-Identifier: GPL-2.0 */
/* What each process of the target had of the CPUs. */

#define TASK_EXITING 4 /* PF_EXITING of linux/sched.h */

/* A process in one scope. The tracer takes it out some time after its end: its last threads leave their CPU behind that. */
struct cpu_key {
	u64 start_ns;
	u32 tgid;
	u32 scope;
};

struct cpu_process {
	u64 on_cpu_ns;
	u64 switches;
	u64 samples;
	u64 ended_ns;
	u32 pid;
	u32 node_pid;
	char comm[16];
};
BPF_HASH(cpu_processes, struct cpu_key, struct cpu_process, MAX_CPU_PROCESSES);

static __always_inline struct cpu_key cpu_key_of(struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);
	struct cpu_key key = {
		.start_ns = READ(leader, start_time), .tgid = READ(task, tgid), .scope = task_scope(task)};
	return key;
}

static __always_inline struct cpu_process *cpu_process_of(struct task_struct *task, struct cpu_key *key, u64 now)
{
	struct cpu_process *known = cpu_processes.lookup(key);
	if (known)
		return known;
	struct process process = {};
	fill_process(&process, task);
	struct cpu_process fresh = {.pid = process.pid, .node_pid = process.node_pid};
	struct signal_struct *signal = READ(task, signal);
	/* The exit has gone by already: nobody else would say that this one may be taken out. */
	if ((s32)READ(signal, live.counter) <= 0)
		fresh.ended_ns = now;
	__builtin_memcpy(fresh.comm, process.comm, sizeof(fresh.comm));
	cpu_processes.insert(key, &fresh);
	known = cpu_processes.lookup(key);
	if (!known)
		lose(LOST_CPU_PROCESSES);
	return known;
}

/* The current process has another name now. */
static __always_inline void cpu_process_renamed(void)
{
	struct cpu_key key = cpu_key_of(CURRENT_TASK);
	struct cpu_process *process = cpu_processes.lookup(&key);
	if (process)
		bpf_get_current_comm(process->comm, sizeof(process->comm));
}

static __always_inline void cpu_process_ended(void)
{
	struct cpu_key key = cpu_key_of(CURRENT_TASK);
	struct cpu_process *process = cpu_processes.lookup(&key);
	if (process)
		process->ended_ns = bpf_ktime_get_ns();
}

/* Is the current task in the target? It may have gone through its exit, where the book of members was closed for it. */
static __always_inline int runs_in_scope(struct task_struct *task)
{
#if SCOPE_MODE == SCOPE_PROCESSES
	struct cpu_key key;
	if (current_in_scope())
		return 1;
	if (!(READ(task, flags) & TASK_EXITING))
		return 0;
	key = cpu_key_of(task);
	return cpu_processes.lookup(&key) != 0;
#elif defined(TYPED_LOADS) && defined(SCOPE_LEVEL)
	return task_in_scope(task);
#elif SCOPE_MODE == SCOPE_WALK
	return READ(task, flags) & TASK_EXITING ? task_in_scope(task) : current_in_scope();
#else
	return current_in_scope();
#endif
}

/* Counts what a thread ran since its CPU was looked at last. */
static __always_inline u32 count_run(struct task_struct *task, u64 now, u64 ran_ns, u32 switches, u32 samples)
{
	struct cpu_key key = cpu_key_of(task);
	struct cpu_process *process = cpu_process_of(task, &key, now);
	struct total *total = total_of(key.scope, OP_CPU_RUN);
	if (total) {
		total->count += samples;
		total->sum_ns += ran_ns;
	}
	if (process) {
		__sync_fetch_and_add(&process->on_cpu_ns, ran_ns);
		/* clang makes another instruction of an addition of 0, one that kernels like 5.10 do not have. */
		if (switches)
			__sync_fetch_and_add(&process->switches, switches);
		if (samples)
			__sync_fetch_and_add(&process->samples, samples);
	}
	return key.scope;
}
