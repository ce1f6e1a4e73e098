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
		file_done(class == CLASS_FSYNC ? OP_FILES_FSYNC : operation, finished->scope,
			  finished->process, file, done);
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

/* sendmmsg and recvmmsg return messages; the bytes stand in the caller's array of struct mmsghdr. */
static __always_inline void fill_messages(struct pt_regs *regs, struct done *done)
{
	const char *vector = (const char *)SYSCALL_ARG1(regs);
	u64 bytes = 0, count = done->result > 0 ? done->result : 0;
	FORGET(count);
	for (u64 i = 0; i < MAX_MESSAGES; i++) {
		u32 length = 0;
		if (i >= count)
			break;
		bpf_probe_read_user(&length, sizeof(length), vector + i * 64 + 56);
		bytes += length;
	}
	FORGET(bytes);
	done->bytes = bytes;
	done->messages = done->result > 0 ? done->result : 0;
}

/* Is it a look at data that stays in the socket? */
static __always_inline int is_peek(u32 class, struct pt_regs *regs)
{
	if (class == CLASS_RECVMSG)
		return SYSCALL_ARG2(regs) & MSG_PEEK_FLAG;
	if (class == CLASS_RECVFROM || class == CLASS_RECVMMSG)
		return SYSCALL_ARG3(regs) & MSG_PEEK_FLAG;
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

/* sendfile, copy_file_range and splice have two ends, both of which count where they are files or TCP sockets. The loop is
 * there so that the code for one end stands once in the program. */
static __always_inline void transfers_done(struct finished *finished, struct done *done)
{
	u32 class = finished->class, ends = 1;
	struct pt_regs *regs = finished->regs;
	struct file *file = finished->file;
	done->bytes = done->result > 0 && class != CLASS_FSYNC ? done->result : 0;
	if (is_peek(class, regs))
		return;
	if (class == CLASS_SENDMMSG || class == CLASS_RECVMMSG)
		fill_messages(regs, done);
	u32 writes = class == CLASS_WRITE || class == CLASS_SEND || class == CLASS_SENDMMSG || class == CLASS_SENDFILE;
	if (class == CLASS_SENDFILE || class == CLASS_COPY)
		ends = 2;
	for (u32 end = 0; end < ends && end < 2; end++) {
		transfer_done(finished, file, writes, done);
		writes = !writes;
		if (end == 0 && ends == 2)
			file = file_of(class == CLASS_SENDFILE ? SYSCALL_ARG1(regs) : SYSCALL_ARG2(regs));
	}
}

static __always_inline void call_done(struct finished *finished, struct call *call, struct done *done)
{
	u32 class = finished->class;
	finished->file = call ? call->file : 0;
	if (!call && class < CLASS_NAMES_FROM)
		finished->file = file_of(SYSCALL_ARG0(finished->regs));
	if (class <= CLASS_LAST_TRANSFER)
		return transfers_done(finished, done);
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
	if (class == CLASS_CONNECT && call)
		return connect_done(finished->scope, finished->process, call, finished->regs, done);
#endif
#ifdef TOPIC_PROCESSES
	if ((class == CLASS_EXEC || class == CLASS_EXECAT) && done->result < 0)
		return exec_failed(finished->scope, finished->process, finished->regs, done, class == CLASS_EXECAT);
#endif
#if defined(TOPIC_FILES) || defined(TOPIC_DESCRIPTORS)
	names_done(finished, done);
#endif
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
	struct call *call = current_call();
	struct finished finished = {.regs = (struct pt_regs *)ctx->args[0]};
	struct tail_work *work = current_tail_work();
	finished.class = class_of_exit(call, finished.regs);
	if (!finished.class || !work || !tracing())
		goto out;
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	finished.process = processes.lookup(&tgid);
	if (!finished.process && work->unregistered != tgid)
		tails.call(ctx, TAIL_REGISTER);
	struct done done = {.result = ctx->args[1], .now = now, .start = call ? call->start : 0};
	finished.scope = finished.process ? finished.process->scope : work->scope;
	work->paths = 0;
	call_done(&finished, call, &done);
	if (call)
		call->flags = 0;
	if (work->paths)
		tails.call(ctx, TAIL_PATHS);
	return 0;
out:
	if (call)
		call->flags = 0;
	return 0;
}
