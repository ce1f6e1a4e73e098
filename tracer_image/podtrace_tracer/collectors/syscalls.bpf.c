/* SPDX-License-Identifier: GPL-2.0 */
/* The two ends of a system call: which topic does it belong to, and what came of it. */

CALL_PROBE(sys_enter)
{
	u32 number = CALL_NUMBER(ctx);
	u32 *class = number < SYSCALL_NUMBERS ? syscall_classes.lookup(&number) : 0;
	if (!class || !*class || !current_in_scope())
		return 0;
	u32 tid = bpf_get_current_pid_tgid();
	struct call *call = call_slot(tid);
	struct pt_regs *regs = CALL_REGISTERS(ctx);
	if (!call || IS_32BIT_CALL(regs))
		return 0;
	u32 flags = CALL_ACTIVE | (is_peek(*class, regs) ? CALL_PEEKS : 0);
	struct file *file = 0;
	if (*class < CLASS_NAMES_FROM) {
		/* Now, because another thread may close the descriptor before the call returns. */
		file = file_of(SYSCALL_ARG0(regs));
		if (*class == CLASS_CONNECT && file && type_of(file) == TYPE_SOCKET) {
			struct socket *socket = READ(file, private_data);
			if (READ(socket, state) == SOCKET_UNCONNECTED)
				flags |= CALL_WAS_UNCONNECTED;
		}
	}
	call->tid = tid;
	call->class = *class;
	call->file = file;
	call->flags = flags;
	call->start = bpf_ktime_get_ns();
#ifdef TOPIC_DESCRIPTORS
	if (closes_begin(call, *class, regs))
		tails.call(ctx, TAIL_TABLE);
#endif
	return 0;
}

CALL_PROBE(register)
{
	struct tail_work *work = current_tail_work();
	if (!current_process() && work) {
		/* The table is full: the operation counts for its scope, and for no process. */
		work->unregistered = bpf_get_current_pid_tgid() >> 32;
		work->scope = task_scope(CURRENT_TASK);
	}
	tails.call(ctx, TAIL_SYS_EXIT);
	return 0;
}

CALL_PROBE(sys_exit)
{
	struct finished finished = {};
	struct done done = {};
	struct tail_work *work = current_tail_work();
	if (!work)
		return 0;
	int is_counted = finish(ctx, work, 0, &finished, &done);
#ifdef LONG_WAITS
	if (finished.call && (finished.call->flags & CALL_WAITED))
		tails.call(ctx, TAIL_WAITS);
#endif
	if (!is_counted) {
		forget_call(finished.call);
		return 0;
	}
	if (!finished.process && work->unregistered != (u32)(bpf_get_current_pid_tgid() >> 32))
		tails.call(ctx, TAIL_REGISTER);
	work->paths = 0;
	work->dns = 0;
	work->slow_count = 0;
	work->ends_done = 0;
	work->now = done.now;
#ifdef TOPIC_DESCRIPTORS
	if (!work->received_done)
		work->openings = 0;
	if (finished.class >= CLASS_DESCRIPTORS_FROM)
		tails.call(ctx, TAIL_DESCRIPTORS_EXIT);
	if (finished.class == CLASS_RECVMSG || finished.class == CLASS_RECVMMSG) {
		if (!work->received_done && received_begin(&finished, &done))
			tails.call(ctx, TAIL_RECEIVED);
		work->received_done = 0;
	}
#endif
	if (finished.class > CLASS_LAST_TRANSFER)
		tails.call(ctx, TAIL_OTHER_EXIT);
	if (finished.class == CLASS_SENDMMSG || finished.class == CLASS_RECVMMSG)
		tails.call(ctx, TAIL_MESSAGES_EXIT);
	if (finished.class > CLASS_LAST_PLAIN)
		tails.call(ctx, TAIL_MULTIPLE_EXIT);
	forget_call(finished.call);
	if (!finished.peeks) {
		done.bytes = done.result > 0 && finished.class != CLASS_FSYNC ? done.result : 0;
		transfer_done(&finished, finished.file, finished.class == CLASS_WRITE || finished.class == CLASS_SEND,
			      &done);
	}
	go_on(ctx, work);
	return 0;
}

#if defined(TOPIC_FILES) || defined(TOPIC_DESCRIPTORS)
static __always_inline void named_done(const struct finished *finished, u32 operation, struct done *done,
				       const char *name)
{
	done->bytes = 0;
	done->threshold = FS_THRESHOLD_NS;
	enum outcome outcome = count_done(finished->scope, operation, done);
	if (outcome == OUTCOME_NONE)
		return;
	struct slow_target *target = slow_seen(operation, finished->scope, done, FS_THRESHOLD_NS);
#ifdef TOPIC_FILES
	struct file *file = target && operation == OP_FILES_OPEN && done->result >= 0 ? file_of(done->result) : 0;
	if (file)
		file_key_of(file, finished->scope, &target->file);
#endif
	if (operation == OP_FILES_OPEN)
		count_for_process(finished->process);
#ifdef TOPIC_FILES
	if (operation == OP_FILES_OPEN)
		open_path(finished->scope, done, name);
	if (outcome == OUTCOME_ERROR)
		name_event(operation, finished->scope, finished->process, done, name);
#endif
}

/* One call of named_done at the end, not one for each class: it is inlined, and clang's time is ours at the start. */
static __always_inline void names_done(const struct finished *finished, struct done *done)
{
	struct pt_regs *regs = finished->regs;
	u32 class = finished->class, operation = OPERATIONS;
	if (class == CLASS_OPEN || class == CLASS_OPENAT)
		operation = OP_FILES_OPEN;
	else if (class == CLASS_UNLINK || (class == CLASS_UNLINKAT && !(SYSCALL_ARG2(regs) & AT_REMOVEDIR_FLAG)))
		operation = OP_FILES_UNLINK;
	else if (class == CLASS_RENAME || class == CLASS_RENAMEAT)
		operation = OP_FILES_RENAME;
	u32 behind_directory = class == CLASS_OPENAT || class == CLASS_UNLINKAT || class == CLASS_RENAMEAT;
	if (operation != OPERATIONS)
		named_done(finished, operation, done,
			   (const char *)(behind_directory ? SYSCALL_ARG1(regs) : SYSCALL_ARG0(regs)));
}
#endif

static __always_inline void other_done(struct finished *finished, struct done *done)
{
	u32 class = finished->class;
#ifdef TOPIC_DESCRIPTORS
	if (class == CLASS_CLOSE) {
		struct done plain = {.result = done->result, .threshold = NO_THRESHOLD};
		if (count_done(finished->scope, OP_DESCRIPTORS_CLOSE, &plain) != OUTCOME_NONE)
			count_for_process(finished->process);
		return;
	}
#endif
#if defined(TOPIC_TCP) || defined(TOPIC_CONNECTIONS)
	if (class == CLASS_ACCEPT)
		return accept_done(finished->scope, finished->process, done);
#endif
#ifdef TOPIC_CONNECTIONS
	if (class == CLASS_CONNECT) {
		if (finished->call)
			connect_done(finished->scope, finished->process, finished->call, finished->regs, done);
		return;
	}
#endif
#ifdef TOPIC_PROCESSES
	if ((class == CLASS_EXEC || class == CLASS_EXECAT) && done->result < 0)
		return exec_failed(finished->scope, finished->process, finished->regs, done, class == CLASS_EXECAT);
#endif
#if defined(TOPIC_FILES) || defined(TOPIC_DESCRIPTORS)
	names_done(finished, done);
#endif
}

CALL_PROBE(other_exit)
{
	struct finished finished = {};
	struct done done = {};
	struct tail_work *work = current_tail_work();
	if (!work || !finish(ctx, work, work->now, &finished, &done))
		return 0;
	other_done(&finished, &done);
#ifdef TOPIC_DESCRIPTORS
	descriptors_of_others(&finished, &done);
#endif
	forget_call(finished.call);
	go_on(ctx, work);
	return 0;
}
