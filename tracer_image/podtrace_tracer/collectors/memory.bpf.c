/* SPDX-License-Identifier: GPL-2.0 */
/* memory: the page faults of threads that end. The kernel counts for each thread; the living ones are read from /proc. */

struct faults {
	u64 minor;
	u64 major;
	u64 ended_ns;
	u32 scope;
	u32 pid;
	u32 node_pid;
	u32 unused;
	char comm[16];
};
/* By process, from the end of its first thread on; the tracer takes out those of processes that have ended. */
BPF_HASH(faults, struct ended_key, struct faults, MAX_FAULTS);

static __always_inline struct faults *faults_of(const struct process *process)
{
	struct ended_key key = {.start_ns = process->start_ns, .tgid = process->tgid};
	struct faults fresh = {.scope = process->scope, .pid = process->pid, .node_pid = process->node_pid};
	__builtin_memcpy(fresh.comm, process->comm, sizeof(fresh.comm));
	return faults.lookup_or_try_init(&key, &fresh);
}

/* A thread ends, and what the kernel has counted for it goes with it. */
static __always_inline void thread_faults_end(void)
{
	struct task_struct *task = CURRENT_TASK;
	u64 minor = READ(task, min_flt), major = READ(task, maj_flt);
	struct process *process = current_process();
	struct faults *found = process ? faults_of(process) : 0;
	if (!found) {
		lose_many(LOST_FAULTS, minor + major);
		return;
	}
	__sync_fetch_and_add(&found->minor, minor);
	__sync_fetch_and_add(&found->major, major);
}

/* So did its last one. */
static __always_inline void process_faults_end(const struct process *last)
{
	struct ended_key key = {.start_ns = last->start_ns, .tgid = last->tgid};
	struct faults *found = faults.lookup(&key);
	if (!found)
		return;
	found->ended_ns = last->ended_ns;
	__builtin_memcpy(found->comm, last->comm, sizeof(found->comm));
}

static __always_inline void oom_killed(const struct process *process)
{
	u64 now = bpf_ktime_get_ns();
	count_once(process->scope, OP_MEMORY_OOM_KILL);
	if (!event_allowed(OP_MEMORY_OOM_KILL, EVENT_URGENT, now))
		return;
	struct event *event = event_begin(SCRATCH_PROCESS, OP_MEMORY_OOM_KILL, process->scope);
	if (!event)
		return;
	event_process(event, process);
	event->start_ns = now;
	event_send(event);
}
