/* SPDX-License-Identifier: GPL-2.0 */
/* The end of a system call: what all of the programs that follow it begin with. */

/* A call that has returned. `file` is what its first argument stands for, where that is a descriptor. */
struct finished {
	struct process *process;
	struct pt_regs *regs;
	struct call *call;
	struct file *file;
	u32 scope;
	u32 class;
	u32 peeks;
};

/* Is it a look at data that stays in the socket? */
static __always_inline int is_peek(u32 class, struct pt_regs *regs)
{
	if (class == CLASS_RECVMSG)
		return SYSCALL_ARG2(regs) & MSG_PEEK_FLAG;
	if (class == CLASS_RECVFROM || class == CLASS_RECVMMSG)
		return SYSCALL_ARG3(regs) & MSG_PEEK_FLAG;
	return 0;
}

/* The beginning of the call was not seen, or its slot was taken: it counts all the same, without a latency. */
static __always_inline void finish_unseen(struct finished *finished)
{
	if (!current_in_scope())
		return;
	u32 number = SYSCALL_NUMBER(finished->regs);
	u32 *class = number < SYSCALL_NUMBERS ? syscall_classes.lookup(&number) : 0;
	if (!class || !*class)
		return;
	if (IS_32BIT_CALL(finished->regs)) {
		/* Numbers of 32-bit programs mean other calls. */
		lose(LOST_32BIT);
		return;
	}
	finished->class = *class;
	finished->peeks = is_peek(*class, finished->regs);
	if (*class < CLASS_NAMES_FROM)
		finished->file = file_of(SYSCALL_ARG0(finished->regs));
}

/* Fills in what all ends of system calls share; 0 if the call is none of ours. `now` is 0 for the first program of an end:
 * then the clock is read, but not for the calls of others. */
static __always_inline int finish(struct call_context *ctx, struct tail_work *work, u64 now, struct finished *finished,
				  struct done *done)
{
	finished->regs = CALL_REGISTERS(ctx);
	u64 ids = bpf_get_current_pid_tgid();
	finished->call = call_of(ids);
	if (finished->call) {
		finished->class = finished->call->class;
		finished->file = finished->call->file;
		finished->peeks = finished->call->flags & CALL_PEEKS;
		done->start = finished->call->start;
		done->now = now ? now : bpf_ktime_get_ns();
	} else {
		finish_unseen(finished);
		done->now = now || !finished->class ? now : bpf_ktime_get_ns();
	}
	/* A socket that is accepted before the gate opens must be known all the same: it was not there to be listed. */
	if (!finished->class || (!tracing() && finished->class != CLASS_ACCEPT))
		return 0;
	u32 tgid = ids >> 32;
	finished->process = processes.lookup(&tgid);
	finished->scope = finished->process ? finished->process->scope : work->scope;
	done->result = CALL_RESULT(ctx);
	return 1;
}

static __always_inline void forget_call(struct call *call)
{
	if (call)
		call->flags = 0;
}
