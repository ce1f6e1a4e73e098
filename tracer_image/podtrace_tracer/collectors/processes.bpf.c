/* SPDX-License-Identifier: GPL-2.0 */
/* processes: exec, fork, exit; and, whatever the topics, the book of who belongs to the target. */

#ifdef TOPIC_PROCESSES
static __always_inline void process_event(u32 operation, const struct process *process, const char *name, u32 status)
{
	u64 now = bpf_ktime_get_ns();
	u32 rank = operation == OP_PROCESSES_EXIT && status ? EVENT_REMARKABLE : EVENT_PLAIN;
	/* With its first process a container ends, and who was killed cannot say so itself. */
	if (operation == OP_PROCESSES_EXIT && (process->pid == 1 || (status & 0x7f) == SIGNAL_KILL))
		rank = EVENT_URGENT;
	if (!event_allowed(operation, rank, now))
		return;
	struct event *event = event_begin(SCRATCH_PROCESS, operation, process->scope);
	if (!event)
		return;
	event_process(event, process);
	event->start_ns = now;
	if (operation == OP_PROCESSES_EXIT) {
		event->start_ns = process->start_ns;
		event->duration_ns = now - process->start_ns;
	}
	event->result = (status >> 8) & 0xff;
	event->signal = status & 0x7f;
	if (operation == OP_PROCESSES_EXIT && process->oom_killed)
		__builtin_memcpy(event->text, "OOM", 4);
	if (name)
		bpf_probe_read_kernel_str(event->text, sizeof(event->text), name);
	event_send(event);
}

static __always_inline void exec_failed(u32 scope, const struct process *process, struct pt_regs *regs,
					const struct done *done, u32 name_argument)
{
	u32 error = -done->result;
	if (error >= ERROR_RESTART_FIRST)
		return;
	count_error(scope, OP_PROCESSES_EXEC, error);
	struct event *event = event_of_call(OP_PROCESSES_EXEC, scope, process, done);
	if (!event)
		return;
	const char *name = (const char *)(name_argument ? SYSCALL_ARG1(regs) : SYSCALL_ARG0(regs));
	read_user_str(event->text, sizeof(event->text), name);
	event_send(event);
}
#endif

PROBE(sched_process_fork)
{
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	u32 parent_tgid = bpf_get_current_pid_tgid() >> 32;
	u32 tgid = READ(child, tgid);
	int by_target = current_in_scope();
#if SCOPE_MODE == SCOPE_PROCESSES
	if (by_target && tgid != parent_tgid) {
		u32 inside = MEMBER_INSIDE;
		if (members.update(&tgid, &inside))
			lose(LOST_MEMBERS);
	}
	if (!by_target)
		return 0;
#else
	/* A parent outside the target can create a child inside it (CLONE_INTO_CGROUP). */
	if (!by_target && !task_in_scope(child))
		return 0;
#endif
	struct process *fresh = 0;
	if (tgid != parent_tgid) {
		/* What stands under a new process's pid is of another one. */
		processes.delete(&tgid);
		fresh = register_process(child);
	}
#ifdef TOPIC_PROCESSES
	struct process *parent = by_target && tracing() ? current_process() : 0;
	if (parent) {
		u32 operation = tgid == parent_tgid ? OP_PROCESSES_FORK_THREAD : OP_PROCESSES_FORK_PROCESS;
		count_once(parent->scope, operation);
		count_for_process(parent);
	}
#endif
#ifdef TOPIC_DESCRIPTORS
	if (birth_begins(fresh, child))
		walk_table(ctx);
#endif
	return 0;
}

PROBE(sched_process_exec)
{
	if (!current_in_scope())
		return 0;
	forget_thread(ctx->args[1]); /* A thread that is not the leader takes the leader's id here. */
#ifdef LONG_WAITS
	long_waits_forgotten(ctx->args[1]);
#endif
	struct process *process = current_process();
#ifdef TOPIC_DESCRIPTORS
	/* What was marked close-on-exec has gone by now. */
	closes_done(process ? process->scope : task_scope(CURRENT_TASK), ctx->args[1], tracing());
#endif
	if (!process)
		return 0;
	bpf_get_current_comm(process->comm, sizeof(process->comm));
#ifdef TOPIC_CPU
	cpu_process_renamed();
#endif
#ifdef TOPIC_PROCESSES
	struct linux_binprm *program = (struct linux_binprm *)ctx->args[2];
	if (tracing()) {
		count_once(process->scope, OP_PROCESSES_EXEC);
		count_for_process(process);
		process_event(OP_PROCESSES_EXEC, process, READ(program, filename), 0);
	}
#endif
#ifdef TOPIC_DESCRIPTORS
	if (birth_begins(process, CURRENT_TASK))
		walk_table(ctx);
#endif
	return 0;
}

/* As wait(2) reports it: the group's code if the group was told to exit, else the leader's. */
static __always_inline u32 exit_status(struct signal_struct *signal)
{
	struct task_struct *leader = READ(CURRENT_TASK, group_leader);
	return READ(signal, flags) & 4 ? READ(signal, group_exit_code) : READ(leader, exit_code);
}

/* Two last threads can both see that none is left: the one that puts the process among the ended ones counts. 1 if it does. */
static __always_inline int process_ended(struct process *last, struct signal_struct *signal, int counts)
{
	struct ended_key key = {.start_ns = last->start_ns, .tgid = last->tgid};
	last->ended_ns = bpf_ktime_get_ns();
#ifdef TOPIC_PROCESSES
	last->events += counts;
#endif
	int problem = ended.insert(&key, last);
	if (problem == -ERROR_EXISTS)
		return 0;
	if (problem)
		lose_many(LOST_PROCESSES, last->events);
#ifdef TOPIC_PROCESSES
	u32 status = exit_status(signal) & 0xff7f;
	if (!counts)
		return 0;
	exit_counted(last, status);
	process_event(OP_PROCESSES_EXIT, last, 0, status);
#endif
	return counts;
}

TASK_PROBE(sched_process_exit)
{
	u64 ids = bpf_get_current_pid_tgid();
	u32 tid = ids, tgid = ids >> 32;
	int inside = current_in_scope();
	if (inside)
		forget_thread(tid);
#ifdef LONG_WAITS
	if (inside)
		long_waits_forgotten(tid);
#endif
#ifdef TOPIC_DESCRIPTORS
	if (inside)
		pending_closes.delete(&tid); /* killed inside of the call */
#endif
#ifdef TOPIC_MEMORY
	if (inside)
		thread_faults_end();
#endif
	struct signal_struct *signal = READ(CURRENT_TASK, signal);
#if defined(EXIT_SAYS_LAST) && !defined(CALLS_BY_EVENTS)
	if (!(u8)ctx->args[1])
		return 0;
#else
	if (READ(signal, live.counter))
		return 0;
#endif
	/* One that was moved out of the target leaves the book here too, uncounted. */
	int counted = 0;
	u32 scope = 0;
	struct process *known = processes.lookup(&tgid);
#ifdef TOPIC_CPU
	if (inside)
		cpu_process_ended();
#endif
	if (inside || known) {
		struct process last = {};
		if (known)
			last = *known;
		else
			fill_process(&last, CURRENT_TASK);
		counted = process_ended(&last, signal, inside && tracing());
		scope = last.scope;
#ifdef TOPIC_MEMORY
		process_faults_end(&last);
#endif
		processes.delete(&tgid);
	}
#if SCOPE_MODE != SCOPE_HELPER
	members.delete(&tgid);
#endif
#ifdef TOPIC_DESCRIPTORS
	births.delete(&tgid);
	struct table_walk *walk = counted ? table_walk_begin(WALK_ENDS, CURRENT_TASK, tgid) : 0;
	if (walk) {
		walk->scope = scope;
		walk_last_table(ctx);
	}
#endif
	return 0;
}

#if defined(PROBE_CGROUP_ATTACH_TASK) && SCOPE_MODE != SCOPE_PROCESSES
/* A container runtime starts a process first and moves it into the container's cgroup then. */
PROBE(cgroup_attach_task)
{
	struct task_struct *task = (struct task_struct *)ctx->args[2];
	u32 tgid = READ(task, tgid);
	int inside = task_in_scope(task);
#if SCOPE_MODE == SCOPE_WALK
	u32 member = inside ? MEMBER_INSIDE : MEMBER_OUTSIDE;
	members.update(&tgid, &member);
#endif
	struct process *process = processes.lookup(&tgid);
	if (inside && process)
		process->scope = task_scope(task);
	else if (inside)
		register_process(task);
	return 0;
}
#endif
