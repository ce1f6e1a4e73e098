/* SPDX-License-Identifier: GPL-2.0 */
/* What each thread waited for each futex of its process, and whom it woke there. */

/* A futex: a word in the memory of a process. */
struct lock_key {
	u64 start_ns;
	u64 address;
	u32 tgid;
	u32 scope;
};
/* How many threads wait for it now. */
BPF_HASH(lock_queues, struct lock_key, u64, MAX_LOCK_QUEUES);

struct lock_thread_key {
	u64 start_ns;
	u64 address;
	u32 tgid;
	u32 scope;
	u64 thread_start_ns;
	u32 tid;
	u32 unused;
};

/* Only the thread itself, and whoever brings it back on a CPU, writes here: never two at a time, so maxima are exact. */
struct lock_thread {
	u64 waits;
	u64 timeouts;
	u64 held; /* waits in the way of a lock */
	u64 sum_ns;
	u64 max_ns;
	u64 max_queue;
	u64 woken;    /* waits of others that it ended */
	u64 woken_ns; /* how long these had lasted */
	u64 stack;    /* of a wait, and how long that was */
	u64 stack_ns;
	u64 waker_stack; /* of waking somebody, and how long that one had waited */
	u64 waker_stack_ns;
	u64 executions; /* of the process, when it was first seen here or a stack was taken */
	u32 pid;
	u32 node_pid;
	u32 tid;
	u32 node_tid;
	char comm[16]; /* of the process */
	char thread_comm[16];
};
BPF_HASH(lock_threads, struct lock_thread_key, struct lock_thread, MAX_LOCK_THREADS);

static __always_inline struct lock_key lock_key_of(struct task_struct *waiter, u64 address, u32 scope)
{
	struct task_struct *leader = READ(waiter, group_leader);
	struct lock_key key = {
		.start_ns = READ(leader, start_time), .address = address, .tgid = READ(waiter, tgid), .scope = scope};
	return key;
}

/* The row of a thread at a futex of the waiter's process; 0 if there is no room. */
static __always_inline struct lock_thread *lock_thread_of(const struct lock_key *lock, struct task_struct *waiter,
							  struct task_struct *task)
{
	struct lock_thread_key key = {.start_ns = lock->start_ns,
				      .address = lock->address,
				      .tgid = lock->tgid,
				      .scope = lock->scope,
				      .thread_start_ns = READ(task, start_time),
				      .tid = READ(task, pid)};
	struct lock_thread *known = lock_threads.lookup(&key);
	if (known)
		return known;
	struct process process = {};
	fill_pids(&process, task);
	struct lock_thread fresh = {.tid = process.pid, .node_tid = process.node_pid};
	process.pid = process.node_pid = 0;
	struct task_struct *leader = READ(waiter, group_leader);
	fill_pids(&process, leader);
#ifdef HAVE_task_struct__self_exec_id
	fresh.executions = READ(waiter, self_exec_id);
#endif
	fresh.pid = process.pid;
	fresh.node_pid = process.node_pid;
	bpf_probe_read_kernel(fresh.comm, sizeof(fresh.comm), &leader->comm);
	bpf_probe_read_kernel(fresh.thread_comm, sizeof(fresh.thread_comm), &task->comm);
	lock_threads.insert(&key, &fresh);
	return lock_threads.lookup(&key);
}

/* One more thread waits for it: how many do now, 0 if there is no room to count them. */
static __always_inline u64 lock_queue_joined(const struct lock_key *key)
{
	u64 zero = 0;
	u64 *queue = lock_queues.lookup_or_try_init(key, &zero);
	if (!queue)
		return 0;
	__sync_fetch_and_add(queue, 1);
	return (s64)*queue > 0 ? *queue : 0;
}

static __always_inline void lock_queue_left(const struct lock_key *key)
{
	u64 *queue = lock_queues.lookup(key);
	/* The tracer takes empty ones out, and one of them can have filled again meanwhile. */
	if (queue && (s64)*queue > 0)
		__sync_fetch_and_add(queue, -1);
}
