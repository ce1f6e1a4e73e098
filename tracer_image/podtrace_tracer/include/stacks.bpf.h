/* SPDX-License-Identifier: GPL-2.0 */
/* User stacks: the addresses through which a task came to where it is, each different stack kept once.
 *
 * The kernel follows frame pointers. Code without them breaks the chain, or lets it run into data: a chain ends before the first
 * address that does not stand behind a call. A function that keeps no frame itself, as those around a system call do, hides
 * its caller from such a walk: the word on top of the stack is looked at, too.
 */

#define RECORD_IMAGE 5
#define STACK_FRAMES 64
#define FURTHER_CALLERS 8

struct stack {
	u64 frames[STACK_FRAMES];
	u64 caller; /* of the innermost frame, where that has none of its own */
	u64 count;
	u64 further[FURTHER_CALLERS]; /* callers behind that one, where they are known */
};
/* By the hash of what is in them. */
BPF_HASH(stacks, u64, struct stack, MAX_STACKS);
/* One per context, as with events: a clock's interrupt must not meet a half taken stack. */
BPF_PERCPU_ARRAY(stack_scratch, struct stack, 2);

/* A process with the program that it runs now: the addresses mean something in this image only. */
struct image {
	u64 start_ns;
	u64 executions;
	u32 tgid;
	u32 scope;
};

/* Tells the tracer of an image with stacks, so that it looks at the process's memory map while there is one: it is woken. */
struct image_record {
	u32 record;
	u32 node_pid;
	u32 pid;
	u32 unused;
	struct image image;
};

static __always_inline void fill_image(struct image *image, struct task_struct *task, u32 scope)
{
	struct task_struct *leader = READ(task, group_leader);
	image->start_ns = READ(leader, start_time);
#ifdef HAVE_task_struct__self_exec_id
	image->executions = READ(task, self_exec_id);
#endif
	image->tgid = READ(task, tgid);
	image->scope = scope;
}

static __always_inline void image_send(const struct image *image, u32 node_pid, u32 pid)
{
	struct image_record record = {.record = RECORD_IMAGE, .node_pid = node_pid, .pid = pid, .image = *image};
	if (ring.ringbuf_output(&record, sizeof(record), BPF_RB_FORCE_WAKEUP))
		lose(LOST_IMAGES);
}

#ifdef __aarch64__
/* BL, or BLR in all its variants. */
static __always_inline int is_behind_call(u64 address)
{
	u32 code = 0;
	if (address < 4096 || read_user(&code, sizeof(code), (void *)(address - sizeof(code))))
		return 0;
	return (code & 0xfc000000) == 0x94000000 || (code & 0xfefff000) == 0xd63f0000;
}
#else
/* A call through register or memory: FF with 2 in the middle of the byte behind it, which stands `at` bytes before the end. */
#define CALLS_INDIRECTLY(code, at) (((code) >> (64 - 8 * (at)) & 0x38ff) == 0x10ff)
static __always_inline int is_behind_call(u64 address)
{
	u64 code = 0;
	if (address < 4096 || read_user(&code, sizeof(code), (void *)(address - sizeof(code))))
		return 0;
	return (code >> 24 & 0xff) == 0xe8 || CALLS_INDIRECTLY(code, 2) || CALLS_INDIRECTLY(code, 3) ||
	       CALLS_INDIRECTLY(code, 4) || CALLS_INDIRECTLY(code, 6) || CALLS_INDIRECTLY(code, 7);
}
#endif

static __always_inline u64 hidden_caller(struct pt_regs *regs)
{
	u64 caller = 0;
#ifdef __aarch64__
	caller = READ(regs, regs[30]);
#else
	read_user(&caller, sizeof(caller), (void *)READ(regs, sp));
#endif
	return is_behind_call(caller) ? caller : 0;
}

/* The hash of the stack in the scratch place; its addresses are counted anew, up to where the chain breaks. */
static __always_inline u64 stack_hash(struct stack *stack)
{
	u64 hash = STACK_HASH_SEED ^ stack->caller, whole = stack->count, i = 0;
	do {
		/* clang must not leave out the mask, which the verifier needs. */
		asm volatile("" : "+r"(i));
		u64 address = stack->frames[i & (STACK_FRAMES - 1)];
		if (i >= whole || (i && !is_behind_call(address)))
			break;
		hash = (hash ^ address) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	} while (++i < STACK_FRAMES);
	FORGET(hash);
	FORGET(i);
	stack->count = i;
#pragma unroll
	for (u32 place = 0; place < FURTHER_CALLERS; place++) {
		hash = (hash ^ stack->further[place]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	return hash;
}

/* The current task's user stack, by its hash; 0 if it has none or there is no place for it. `caller` is that of the innermost
 * frame, where it has none of its own, or 0; `further` are those behind it, where they are known, or 0. */
static __always_inline u64 take_stack_behind(void *ctx, u32 scratch, u64 caller, const u64 *further)
{
	struct stack *stack = stack_scratch.lookup(&scratch);
	if (!stack)
		return 0;
	long size = bpf_get_stack(ctx, stack->frames, sizeof(stack->frames), BPF_F_USER_STACK);
	if (size < 8)
		return 0;
	stack->count = (u64)size / 8;
	stack->caller = caller;
	if (further)
		__builtin_memcpy(stack->further, further, sizeof(stack->further));
	else
		__builtin_memset(stack->further, 0, sizeof(stack->further));
	u64 hash = stack_hash(stack);
	if (stacks.lookup(&hash))
		return hash;
	if (stacks.update(&hash, stack)) {
		lose(LOST_STACKS);
		return 0;
	}
	return hash;
}

/* `regs` are those with which it entered the kernel by a system call, or 0. */
static __always_inline u64 take_stack(void *ctx, u32 scratch, struct pt_regs *regs)
{
	return take_stack_behind(ctx, scratch, regs ? hidden_caller(regs) : 0, 0);
}
