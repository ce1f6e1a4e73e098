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
};

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
