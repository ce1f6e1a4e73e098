/* SPDX-License-Identifier: GPL-2.0 */
/* processes: how they ended, how long they lived, and whom the kernel kills for memory. */

struct exit_key {
	u32 scope;
	u32 status;
	char comm[16];
};
BPF_HASH(exits, struct exit_key, u64, MAX_EXITS);

/* How long those lived, and from when to when they ended. Per CPU, because a shared maximum would race. */
struct lifetime {
	u64 count;
	u64 oom_kills;
	u64 sum_ns;
	u64 max_ns;
	u64 first_ns;
	u64 max_last_ns;
};
BPF_PERCPU_HASH(lifetimes, struct exit_key, struct lifetime, MAX_EXITS);

#ifdef TOPIC_PROCESSES
static __always_inline void exit_counted(const struct process *last, u32 status)
{
	struct exit_key exit = {.scope = last->scope, .status = status};
	u64 zero = 0, lived = last->ended_ns - last->start_ns;
	struct lifetime none = {}, *lifetime;
	count_sample(last->scope, OP_PROCESSES_EXIT, lived, NO_THRESHOLD);
	__builtin_memcpy(exit.comm, last->comm, sizeof(exit.comm));
	count_or_lose(exits.lookup_or_try_init(&exit, &zero), LOST_EXITS);
	lifetime = lifetimes.lookup(&exit);
	if (!lifetime) {
		lifetimes.insert(&exit, &none);
		lifetime = lifetimes.lookup(&exit);
	}
	/* It has the same keys, and as many places, as the other: what finds none is counted there. */
	if (!lifetime)
		return;
	lifetime->count++;
	lifetime->oom_kills += last->oom_killed;
	lifetime->sum_ns += lived;
	if (lived > lifetime->max_ns)
		lifetime->max_ns = lived;
	if (!lifetime->first_ns)
		lifetime->first_ns = last->ended_ns;
	lifetime->max_last_ns = last->ended_ns;
}
#endif

#ifdef PROBE_MARK_VICTIM
/* The kernel has chosen whom to kill for memory. Whoever asked for memory runs this, perhaps somebody outside the target. */
PROBE(mark_victim)
{
#ifdef VICTIM_IS_TASK
	struct task_struct *victim = (struct task_struct *)ctx->args[0];
	u32 tgid = READ(victim, tgid);
	struct process *process = processes.lookup(&tgid);
	if (!process && task_in_scope(victim))
		process = register_process(victim);
#else
	u32 tgid = ctx->args[0]; /* of a thread, which nearly always is its process's first */
	struct process *process = processes.lookup(&tgid);
#endif
	/* It comes once for each thread that is met. */
	if (!process || process->oom_killed || !tracing())
		return 0;
	process->oom_killed = 1;
#ifdef TOPIC_MEMORY
	oom_killed(process);
#endif
	return 0;
}
#endif
