/* SPDX-License-Identifier: GPL-2.0 */
/* The two ends of a system call: which topic does it belong to, and what came of it. */

PROBE(sys_enter)
{
	u32 number = ctx->args[1];
	u32 *class = number < SYSCALL_NUMBERS ? syscall_classes.lookup(&number) : 0;
	if (!class || !*class || !current_in_scope())
		return 0;
	u32 tid = bpf_get_current_pid_tgid();
	struct call *call = call_slot(tid);
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	if (!call || IS_32BIT_CALL(regs))
		return 0;
	u32 flags = CALL_ACTIVE;
	struct file *file = 0;
	if (*class < CLASS_NAMES_FROM) {
		/* Now, because another thread may close the descriptor before the call returns. */
		file = file_of(SYSCALL_ARG0(regs));
		if (*class == CLASS_CONNECT && file && type_of(file) == TYPE_SOCKET) {
			struct socket *socket = READ(file, private_data);
			if (READ(socket, state) == 1)
				flags |= CALL_WAS_UNCONNECTED;
		}
	}
	call->tid = tid;
	call->number = number;
	call->class = *class;
	call->file = file;
	call->flags = flags;
	call->start = bpf_ktime_get_ns();
	return 0;
}

/* A call that has returned. `file` is what its first argument stands for, where that is a descriptor. */
struct finished {
	struct process *process;
	struct pt_regs *regs;
	struct call *call;
	struct file *file;
	u32 scope;
	u32 class;
};

/* One transfer through a file or a socket, in one direction; an fsync is one too. */
static __always_inline void transfer_done(const struct finished *finished, struct file *file, u32 writes,
					  struct done *done)
{
	u32 class = finished->class;
	u16 type = 0;
	/* Calls that exist for sockets only need not ask. */
	if (class >= CLASS_FIRST_ON_SOCKETS && class <= CLASS_LAST_ON_SOCKETS)
		type = file && done->result != -ERROR_NOT_SOCKET ? TYPE_SOCKET : 0;
	else if (file)
		type = type_of(file);
#ifdef TOPIC_FILES
	if (type == TYPE_REGULAR) {
		u32 operation = writes ? OP_FILES_WRITE : OP_FILES_READ;
		done->threshold = FS_THRESHOLD_NS;
		file_done(class == CLASS_FSYNC ? OP_FILES_FSYNC : operation, finished->scope, finished->process, file,
			  done);
	}
#endif
#ifdef TOPIC_TCP
	if (type == TYPE_SOCKET && class != CLASS_FSYNC) {
		struct sock *sk = tcp_socket_of(file);
		done->threshold = NO_THRESHOLD;
		if (sk)
			tcp_done(writes ? OP_TCP_SEND : OP_TCP_RECEIVE, finished->scope, finished->process, sk, done);
	}
#endif
}

/* Is it a look at data that stays in the socket? */
static __always_inline int is_peek(const struct finished *finished)
{
	if (finished->class == CLASS_RECVMSG)
		return SYSCALL_ARG2(finished->regs) & MSG_PEEK_FLAG;
	if (finished->class == CLASS_RECVFROM || finished->class == CLASS_RECVMMSG)
		return SYSCALL_ARG3(finished->regs) & MSG_PEEK_FLAG;
	return 0;
}

static __always_inline u32 class_of_exit(struct call *call, struct pt_regs *regs)
{
	if (call)
		return call->class;
	/* Its beginning was not seen, or its slot was taken: it counts all the same, without a latency. */
	if (!current_in_scope())
		return 0;
	u32 number = SYSCALL_NUMBER(regs);
	u32 *found = number < SYSCALL_NUMBERS ? syscall_classes.lookup(&number) : 0;
	if (!found || !*found)
		return 0;
	if (IS_32BIT_CALL(regs)) {
		/* Numbers of 32-bit programs mean other calls. */
		lose(LOST_32BIT);
		return 0;
	}
	return *found;
}

/* Fills in what all ends of system calls share; 0 if the call is none of ours. */
static __always_inline int finish(struct bpf_raw_tracepoint_args *ctx, struct tail_work *work, u64 now,
				  struct finished *finished, struct done *done)
{
	finished->regs = (struct pt_regs *)ctx->args[0];
	finished->call = current_call();
	finished->class = class_of_exit(finished->call, finished->regs);
	if (!finished->class || !tracing())
		return 0;
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	finished->process = processes.lookup(&tgid);
	finished->scope = finished->process ? finished->process->scope : work->scope;
	if (finished->call)
		finished->file = finished->call->file;
	else if (finished->class < CLASS_NAMES_FROM)
		finished->file = file_of(SYSCALL_ARG0(finished->regs));
	done->result = ctx->args[1];
	done->now = now;
	done->start = finished->call ? finished->call->start : 0;
	return 1;
}

static __always_inline void forget_call(struct call *call)
{
	if (call)
		call->flags = 0;
}

PROBE(register)
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

PROBE(sys_exit)
{
	u64 now = bpf_ktime_get_ns();
	struct finished finished = {};
	struct done done = {};
	struct tail_work *work = current_tail_work();
	if (!work)
		return 0;
	if (!finish(ctx, work, now, &finished, &done)) {
		forget_call(finished.call);
		return 0;
	}
	if (!finished.process && work->unregistered != (u32)(bpf_get_current_pid_tgid() >> 32))
		tails.call(ctx, TAIL_REGISTER);
	work->paths = 0;
	work->ends_done = 0;
	work->now = now;
	if (finished.class > CLASS_LAST_TRANSFER)
		tails.call(ctx, TAIL_OTHER_EXIT);
	if (finished.class == CLASS_SENDMMSG || finished.class == CLASS_RECVMMSG)
		tails.call(ctx, TAIL_MESSAGES_EXIT);
	if (finished.class > CLASS_LAST_PLAIN)
		tails.call(ctx, TAIL_MULTIPLE_EXIT);
	forget_call(finished.call);
	if (finished.class == CLASS_FSYNC || !is_peek(&finished)) {
		done.bytes = done.result > 0 && finished.class != CLASS_FSYNC ? done.result : 0;
		transfer_done(&finished, finished.file, finished.class == CLASS_WRITE || finished.class == CLASS_SEND,
			      &done);
	}
	if (work->paths)
		tails.call(ctx, TAIL_PATHS);
	return 0;
}

/* sendmmsg and recvmmsg return messages; the bytes stand in the caller's array of struct mmsghdr. */
PROBE(messages_exit)
{
	struct tail_work *work = current_tail_work();
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	const char *vector = (const char *)SYSCALL_ARG1(regs);
	u64 bytes = 0, i = 0, count = (s64)ctx->args[1] > 0 ? ctx->args[1] : 0;
	if (!work)
		return 0;
	work->messages = count;
	/* The loop tests at its end: 5.10's verifier takes a way back only from a conditional jump. */
	if (count)
		do {
			u32 length = 0;
			bpf_probe_read_user(&length, sizeof(length), vector + i * 64 + 56);
			bytes += length;
			/* clang must not turn the two tests into one that says no bound. */
			asm volatile("" : "+r"(i));
		} while (++i < MAX_MESSAGES && i < count);
	work->bytes = bytes;
	tails.call(ctx, TAIL_MULTIPLE_EXIT);
	return 0;
}

/* Several messages, or one of two ends: sendfile, copy_file_range and splice count at each that is a file or a TCP socket.
 * The second end is counted by calling itself, which leaves the verifier half as deep a program. */
PROBE(multiple_exit)
{
	struct finished finished = {};
	struct done done = {};
	struct tail_work *work = current_tail_work();
	if (!work || !finish(ctx, work, work->now, &finished, &done))
		return 0;
	u32 class = finished.class, has_two_ends = class == CLASS_SENDFILE || class == CLASS_COPY;
	u32 writes = class == CLASS_SENDMMSG || class == CLASS_SENDFILE;
	done.bytes = done.result > 0 ? done.result : 0;
	if (!has_two_ends) {
		done.bytes = work->bytes;
		done.messages = work->messages;
	}
	if (work->ends_done) {
		writes = !writes;
		finished.file =
			file_of(class == CLASS_SENDFILE ? SYSCALL_ARG1(finished.regs) : SYSCALL_ARG2(finished.regs));
	}
	if (!is_peek(&finished))
		transfer_done(&finished, finished.file, writes, &done);
	work->ends_done++;
	if (has_two_ends && work->ends_done < 2)
		tails.call(ctx, TAIL_MULTIPLE_EXIT);
	forget_call(finished.call);
	if (work->paths)
		tails.call(ctx, TAIL_PATHS);
	return 0;
}

#if defined(TOPIC_FILES) || defined(TOPIC_DESCRIPTORS)
static __always_inline void named_done(const struct finished *finished, u32 operation, struct done *done,
				       const char *name)
{
	done->bytes = 0;
	done->threshold = NO_THRESHOLD;
	enum outcome outcome = count_done(finished->scope, operation, done);
	if (outcome == OUTCOME_NONE)
		return;
	if (operation == OP_FILES_OPEN)
		count_for_process(finished->process);
#ifdef TOPIC_FILES
	if (operation == OP_FILES_OPEN)
		open_path(finished->scope, finished->process, done, name);
	if (outcome == OUTCOME_ERROR)
		name_event(operation, finished->scope, finished->process, done, name);
#endif
}

static __always_inline void names_done(const struct finished *finished, struct done *done)
{
	struct pt_regs *regs = finished->regs;
	const char *first = (const char *)SYSCALL_ARG0(regs), *second = (const char *)SYSCALL_ARG1(regs);
	switch (finished->class) {
	case CLASS_OPEN:
		return named_done(finished, OP_FILES_OPEN, done, first);
	case CLASS_OPENAT:
		return named_done(finished, OP_FILES_OPEN, done, second);
	case CLASS_UNLINK:
		return named_done(finished, OP_FILES_UNLINK, done, first);
	case CLASS_UNLINKAT:
		if (!(SYSCALL_ARG2(regs) & AT_REMOVEDIR_FLAG))
			named_done(finished, OP_FILES_UNLINK, done, second);
		return;
	case CLASS_RENAME:
		return named_done(finished, OP_FILES_RENAME, done, first);
	case CLASS_RENAMEAT:
		return named_done(finished, OP_FILES_RENAME, done, second);
	}
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

PROBE(other_exit)
{
	struct finished finished = {};
	struct done done = {};
	struct tail_work *work = current_tail_work();
	if (!work || !finish(ctx, work, work->now, &finished, &done))
		return 0;
	other_done(&finished, &done);
	forget_call(finished.call);
	if (work->paths)
		tails.call(ctx, TAIL_PATHS);
	return 0;
}
