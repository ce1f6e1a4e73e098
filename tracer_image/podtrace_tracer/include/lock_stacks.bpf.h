/* SPDX-License-Identifier: GPL-2.0 */
/* Stacks of threads that wait for a futex, and of those that wake them: a few at a time, since how long a wait will be is not known
 * when its stack can be taken. */

/* So many in a seventh of a second on each CPU: of waits for locks that are held, of other ones, of wakers. */
#define LOCK_STACKS_AT_ONCE 8
#define LOCK_STACK_HELD 0
#define LOCK_STACK_OTHER 1
#define LOCK_STACK_WAKER 2

struct lock_stack_budget {
	u64 window;
	u64 used;
};
BPF_PERCPU_ARRAY(lock_stack_budgets, struct lock_stack_budget, 3);

static __always_inline int lock_stack_allowed(u32 what, u64 now)
{
	struct lock_stack_budget *budget = lock_stack_budgets.lookup(&what);
	if (!budget)
		return 0;
	if (budget->window != now >> 27) {
		budget->window = now >> 27;
		budget->used = 0;
	}
	return budget->used++ < LOCK_STACKS_AT_ONCE;
}

/* The current task's stack, by its hash; 0 if there are too many. Interrupts are off where threads are switched and woken, so
 * this has the scratch place of interrupts to itself. */
static __always_inline u64 lock_stack(void *ctx, u32 what, u64 now, struct pt_regs *regs)
{
	return lock_stack_allowed(what, now) ? take_stack(ctx, SCRATCH_INTERRUPT, regs) : 0;
}

/* The tracer is to look at the memory map of the waiter's process before it is gone. */
static __always_inline void lock_image_send(struct lock_thread *row, struct task_struct *task, u32 scope)
{
	struct image image = {};
	fill_image(&image, task, scope);
	row->executions = image.executions;
	image_send(&image, row->node_pid, row->pid);
}

/* Of the waits whose stack was taken, the longest one's stays. */
static __always_inline void keep_wait_stack(struct lock_thread *row, struct task_struct *task, u64 stack, u64 waited_ns,
					    u32 scope)
{
	if (!stack || waited_ns < row->stack_ns)
		return;
	if (!row->stack)
		lock_image_send(row, task, scope);
	row->stack = stack;
	row->stack_ns = waited_ns;
}

/* That of the waker, where it ended the longest wait so far. */
static __always_inline void keep_waker_stack(void *ctx, struct lock_thread *row, u64 waited_ns, u64 now, u32 scope)
{
	struct task_struct *task = CURRENT_TASK;
	if (waited_ns < row->waker_stack_ns)
		return;
	u64 stack = lock_stack(ctx, LOCK_STACK_WAKER, now, entry_registers(task));
	if (!stack)
		return;
	if (!row->waker_stack)
		lock_image_send(row, task, scope);
	row->waker_stack = stack;
	row->waker_stack_ns = waited_ns;
}
