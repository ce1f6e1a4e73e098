/* SPDX-License-Identifier: GPL-2.0 */
/* What the samples of a clock found running: the place, and the stack that led there. */

#include <uapi/linux/bpf_perf_event.h>

/* Where samples found threads. The place itself stands apart from its stack, so that the places of a function share their callers:
 * in user space the stack's first address is left out. Two tables of each: the tracer empties those while the programs fill these. */
struct cpu_sample {
	struct image image;
	u64 address; /* 0 in the kernel */
	u64 stack;   /* by its hash; 0 if there is none, or no place for it */
};
BPF_HASH(cpu_samples_0, struct cpu_sample, u64, MAX_CPU_SAMPLES);
BPF_HASH(cpu_samples_1, struct cpu_sample, u64, MAX_CPU_SAMPLES);
BPF_HASH(sample_stacks_0, u64, struct stack, MAX_SAMPLE_STACKS);
BPF_HASH(sample_stacks_1, u64, struct stack, MAX_SAMPLE_STACKS);
BPF_ARRAY(cpu_samples_side, u32, 1);

#define NEW_SAMPLES 8

/* A process's first samples tell the tracer to look at its memory map. */
static __always_inline void sample_image(struct task_struct *task, const struct image *image)
{
	struct cpu_key key = cpu_key_of(task);
	struct cpu_process *process = cpu_processes.lookup(&key);
	if (process && process->samples <= NEW_SAMPLES)
		image_send(image, process->node_pid, process->pid);
}

/* A function that has only just begun, or is about to return, has no frame: its return address is on top of the stack. On arm64
 * it stands in a register in functions that call nobody, too; in others that holds where their last call has returned to. */
static __always_inline u64 unframed_caller(struct bpf_perf_event_data *ctx, u64 address)
{
	u64 caller = 0;
#ifdef __aarch64__
	caller = SAMPLED_LINK(ctx);
#else
	u64 place = SAMPLED_STACK_POINTER(ctx);
	u32 code = 0;
	read_user(&code, sizeof(code), (void *)address);
	int is_pushed = (code & 0xffffff) == 0xe58948;					   /* MOV RBP, RSP */
	int is_top = (code & 0xff) == 0x55 || (code & 0xff) == 0xc3 || code == 0xfa1e0ff3; /* PUSH RBP, RET, ENDBR64 */
	if (!is_pushed && !is_top)
		return 0;
	read_user(&caller, sizeof(caller), (void *)(place + (is_pushed ? sizeof(caller) : 0)));
#endif
	return is_behind_call(caller) ? caller : 0;
}

/* The user stack of a sample, by its hash: in the kernel that of the system call, or of the place that was interrupted. */
static __always_inline u64 sample_stack(struct bpf_perf_event_data *ctx, struct task_struct *task, u64 address,
					u32 side)
{
	u32 scratch = SCRATCH_INTERRUPT;
	struct stack *stack = stack_scratch.lookup(&scratch);
	if (!stack)
		return 0;
	long size = bpf_get_stack(ctx, stack->frames, sizeof(stack->frames), BPF_F_USER_STACK);
	if (size < 8)
		return 0;
	stack->count = (u64)size / 8;
	__builtin_memset(stack->further, 0, sizeof(stack->further));
	if (address) {
		stack->caller = unframed_caller(ctx, address);
		stack->frames[0] = 0;
	} else {
		struct pt_regs *regs = entry_registers(task);
		int in_call = is_in_call(regs);
		stack->caller = in_call ? hidden_caller(regs) : 0;
		stack->frames[0] += !in_call; /* the other ones are places behind a call */
	}
	u64 hash = stack_hash(stack);
	if (side)
		return sample_stacks_1.lookup(&hash) || !sample_stacks_1.update(&hash, stack) ? hash : 0;
	return sample_stacks_0.lookup(&hash) || !sample_stacks_0.update(&hash, stack) ? hash : 0;
}

static __always_inline void sample_seen(struct bpf_perf_event_data *ctx, struct task_struct *task, u32 scope)
{
	struct cpu_sample sample = {};
	u32 first = 0;
	u64 zero = 0, *count = 0;
	u32 *filled = cpu_samples_side.lookup(&first), side = filled ? *filled : 0;
	fill_image(&sample.image, task, scope);
	sample.address = SAMPLED_IN_USER(ctx) ? SAMPLED_ADDRESS(ctx) : 0;
	sample.stack = sample_stack(ctx, task, sample.address, side);
	if (side)
		count = cpu_samples_1.lookup_or_try_init(&sample, &zero);
	else
		count = cpu_samples_0.lookup_or_try_init(&sample, &zero);
	if (!count)
		return; /* the process has it all the same, and the list of functions says how many it lacks */
	if (!*count && (sample.address || sample.stack))
		sample_image(task, &sample.image);
	__sync_fetch_and_add(count, 1);
}
