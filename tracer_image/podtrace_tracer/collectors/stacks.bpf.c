/* SPDX-License-Identifier: GPL-2.0 */
/* The stacks of operations above their threshold: the operation is counted already, here for whom and from where. */

static __always_inline void slow_by_stack(struct call_context *ctx, const struct slow_operation *slow)
{
	struct stack_key key = {.operation = slow->operation};
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = processes.lookup(&tgid);
	fill_image(&key.image, CURRENT_TASK, slow->scope);
	key.stack = take_stack(ctx, SCRATCH_PROCESS, CALL_REGISTERS(ctx));
	slow_counted(&key, process ? process->node_pid : 0, process ? process->pid : 0, slow);
}

CALL_PROBE(stacks)
{
	struct tail_work *work = current_tail_work();
	if (!work || !work->slow_count)
		return 0;
	work->slow_count--;
	slow_by_stack(ctx, &work->slow[work->slow_count & 1]);
	work->dns = 0;
	go_on(ctx, work);
	return 0;
}
