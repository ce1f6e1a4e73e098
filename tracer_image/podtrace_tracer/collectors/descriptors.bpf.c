/* SPDX-License-Identifier: GPL-2.0 */
/* descriptors: calls that make or close them and do nothing else that counts, tables as a whole, those that are received. */

#define FCNTL_DUPLICATE 0
#define FCNTL_DUPLICATE_CLOEXEC 1030
#define CLOSE_RANGE_SETS_FLAG 4
#define CLONE_MAKES_PIDFD 0x1000
#define SECCOMP_SET_FILTER 1
#define SECCOMP_MAKES_LISTENER 8
#define NO_DESCRIPTOR -1

/* The bpf commands that return a descriptor (enum bpf_cmd of linux/bpf.h): MAP_CREATE, PROG_LOAD, OBJ_GET,
 * PROG_GET_FD_BY_ID, MAP_GET_FD_BY_ID, RAW_TRACEPOINT_OPEN, BTF_LOAD, BTF_GET_FD_BY_ID, LINK_CREATE, LINK_GET_FD_BY_ID,
 * ENABLE_STATS, ITER_CREATE, TOKEN_CREATE. */
#define BPF_COMMANDS_THAT_OPEN                                                                                         \
	(1ULL << 0 | 1ULL << 5 | 1ULL << 7 | 1ULL << 13 | 1ULL << 14 | 1ULL << 17 | 1ULL << 18 | 1ULL << 19 |          \
	 1ULL << 28 | 1ULL << 30 | 1ULL << 32 | 1ULL << 33 | 1ULL << 36)

static __always_inline int opens_by_arguments(u32 class, struct pt_regs *regs)
{
	u64 first = SYSCALL_ARG0(regs), second = SYSCALL_ARG1(regs);
	switch (class) {
	case CLASS_FCNTL:
		return (u32)second == FCNTL_DUPLICATE || (u32)second == FCNTL_DUPLICATE_CLOEXEC;
	case CLASS_SIGNALFD:
		return (s32)first == NO_DESCRIPTOR; /* else it changes the one that it was given */
	case CLASS_BPF:
		return (u32)first < 64 && (BPF_COMMANDS_THAT_OPEN >> (u32)first & 1);
	case CLASS_LANDLOCK:
		return !(u32)SYSCALL_ARG2(regs); /* else it tells about itself */
	case CLASS_SECCOMP:
		return (u32)first == SECCOMP_SET_FILTER && (second & SECCOMP_MAKES_LISTENER);
	case CLASS_DUP_OVER:
		return (u32)first != (u32)second;
	}
	return class == CLASS_MAKE;
}

/* Calls that write what they made to where an argument points. */
static __always_inline void read_written(u32 class, struct pt_regs *regs, s32 made[2])
{
	u64 place = 0, flags = 0;
	u32 size = sizeof(*made);
	if (class == CLASS_PIPE || class == CLASS_SOCKETPAIR) {
		place = class == CLASS_PIPE ? SYSCALL_ARG0(regs) : SYSCALL_ARG3(regs);
		read_user(&made[1], sizeof(made[1]), (void *)(place + sizeof(made[0])));
	} else if (class == CLASS_CLONE) {
		flags = SYSCALL_ARG0(regs);
		place = flags & CLONE_MAKES_PIDFD ? SYSCALL_ARG2(regs) : 0;
	} else {
		/* struct clone_args begins with the flags and the place for the pidfd. */
		u64 arguments[2] = {};
		read_user(arguments, sizeof(arguments), (void *)SYSCALL_ARG0(regs));
		place = arguments[0] & CLONE_MAKES_PIDFD ? arguments[1] : 0;
	}
	if (place)
		read_user(&made[0], size, (void *)place);
}

static __always_inline void descriptors_made(const struct finished *finished, const struct done *done)
{
	u32 class = finished->class;
	s32 made[2] = {NO_DESCRIPTOR, NO_DESCRIPTOR};
	int is_clone = class == CLASS_CLONE || class == CLASS_CLONE3;
	if (is_clone || class == CLASS_PIPE || class == CLASS_SOCKETPAIR) {
		/* The child returns from its parent's clone too, with 0. */
		if (!is_clone || done->result)
			read_written(class, finished->regs, made);
	} else if (opens_by_arguments(class, finished->regs)) {
		made[0] = done->result;
		if (class == CLASS_DUP_OVER && !(finished->call && !finished->call->kind))
			descriptor_closed(finished->scope, finished->call);
	}
	if (made[0] >= 0)
		descriptor_opened(finished->scope, made[0]);
	if (made[1] >= 0)
		descriptor_opened(finished->scope, made[1]);
}

CALL_PROBE(descriptors_exit)
{
	struct finished finished = {};
	struct done done = {};
	struct tail_work *work = current_tail_work();
	if (!work || !finish(ctx, work, work->now, &finished, &done))
		return 0;
	if (finished.class == CLASS_CLOSE_RANGE) {
		if (!(SYSCALL_ARG2(finished.regs) & CLOSE_RANGE_SETS_FLAG))
			closes_done(finished.scope, bpf_get_current_pid_tgid(), done.result == 0);
	} else if (done.result >= 0) {
		descriptors_made(&finished, &done);
	}
	forget_call(finished.call);
	go_on(ctx, work);
	return 0;
}

static __always_inline void table_done(struct table_walk *walk)
{
	u32 id = walk->id;
	if (walk->purpose == WALK_ENDS)
		count_kinds(walk->scope, OP_DESCRIPTORS_ENDED_FILE, &walk->kinds);
	else if (walk->purpose == WALK_BEGINS)
		birth_done(walk);
	else if (pending_closes.update(&id, &walk->kinds))
		lose(LOST_TABLES);
}

/* Some steps through the table; are there more to go? */
static __always_inline int table_steps(struct table_walk *walk)
{
	struct task_struct *task = (struct task_struct *)walk->task;
	struct files_struct *files = READ(task, files);
	struct fdtable *table = READ(files, fdt);
	u32 steps = 0;
	int left = 0;
	do {
		left = table_step(walk, table);
		if (!left)
			break;
		asm volatile("" : "+r"(steps));
	} while (++steps < TABLE_STEPS);
	FORGET(left);
	return left;
}

CALL_PROBE(table)
{
	struct table_walk *walk = current_table_walk();
	if (!walk)
		return 0;
	if (table_steps(walk)) {
		tails.call(ctx, TAIL_TABLE);
		lose(LOST_TABLES); /* larger than so many programs behind each other can see */
	}
	table_done(walk);
	return 0;
}

#ifdef CALLS_BY_EVENTS
/* The same when a process begins, or runs another program. */
PROBE(table_of_start)
{
	struct table_walk *walk = current_table_walk();
	if (!walk)
		return 0;
	if (table_steps(walk)) {
		follow_up(ctx, TAIL_TABLE_OF_START);
		lose(LOST_TABLES);
	}
	table_done(walk);
	return 0;
}
#endif

static __always_inline void walk_table(struct bpf_raw_tracepoint_args *ctx)
{
#ifdef CALLS_BY_EVENTS
	follow_up(ctx, TAIL_TABLE_OF_START);
#else
	follow_up(ctx, TAIL_TABLE);
#endif
}

static __always_inline void walk_last_table(struct call_context *ctx)
{
	tails.call(ctx, TAIL_TABLE);
}
