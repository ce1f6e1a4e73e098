/* SPDX-License-Identifier: GPL-2.0 */
/* cpu: the stacks behind waits that lasted, taken at the end of the system call in which the thread waited. */

static __always_inline void wait_by_stack(struct call_context *ctx, struct long_waits *waits)
{
	struct task_struct *task = CURRENT_TASK;
	u32 last = waits->count - 1;
	u64 place = last;
	asm volatile("" : "+r"(place));
	place &= WAITS_OF_CALL - 1;
	struct slow_operation wait = {.duration_ns = waits->durations_ns[place], .operation = waits->operations[place]};
	struct stack_key key = {.operation = wait.operation};
	struct cpu_key process_key = cpu_key_of(task);
	struct cpu_process *process = cpu_processes.lookup(&process_key);
	waits->count = last;
	if (!waits->stack)
		waits->stack = take_stack(ctx, SCRATCH_PROCESS, CALL_REGISTERS(ctx));
	fill_image(&key.image, task, waits->scope);
	key.stack = waits->stack;
	slow_counted(&key, process ? process->node_pid : 0, process ? process->pid : 0, &wait);
}

/* One wait; the next one by calling itself. Then the call ends as any other does, its duration without what this took. */
CALL_PROBE(waits)
{
	u64 began = bpf_ktime_get_ns();
	u32 tid = bpf_get_current_pid_tgid();
	struct call *call = call_of(tid);
	struct long_waits *waits = long_waits.lookup(&tid);
	if (waits && waits->count)
		wait_by_stack(ctx, waits);
	if (call)
		call->start += bpf_ktime_get_ns() - began;
	if (waits && waits->count)
		tails.call(ctx, TAIL_WAITS);
	long_waits.delete(&tid);
	if (call)
		call->flags = call->class ? call->flags & ~CALL_WAITED : 0;
	tails.call(ctx, TAIL_SYS_EXIT);
	return 0;
}
