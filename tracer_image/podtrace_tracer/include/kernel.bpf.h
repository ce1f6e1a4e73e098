/* SPDX-License-Identifier: GPL-2.0 */
/* Reading kernel memory, and system call arguments on each architecture.
 *
 * The files of this program are concatenated, not included: bcc rewrites map methods in its main text only.
 */
#include <podtrace/btf.h>
#include <uapi/linux/ptrace.h>

/* bcc's own rewriter misses pointers that come out of bpf_probe_read_kernel, so every read is explicit.
 *
 * Kernels that have bpf_rdonly_cast take our word for what a pointer points to and let us load from it, at a tenth of a
 * helper's price; the verifier turns the call itself into a move. clang cannot write a call of a kernel function without
 * BTF of our own: it writes a call of a helper that does not exist, and the tracer puts the function's number there.
 */
#ifdef TYPED_LOADS
static void *(*rdonly_cast)(const void *, u64) = (void *)RDONLY_CAST_PLACEHOLDER;
#define READ(pointer, field) (((typeof(pointer))rdonly_cast(pointer, BTF_ID(pointer)))->field)
#else
#define READ(pointer, field)                                                                                           \
	({                                                                                                             \
		typeof((pointer)->field) value_;                                                                       \
		bpf_probe_read_kernel(&value_, sizeof(value_), &(pointer)->field);                                     \
		value_;                                                                                                \
	})
#endif

/* A constant of one trace. It is put into the compiled code before that is loaded, and the verifier sees no difference. */
#define LATE_CONSTANT(mark)                                                                                            \
	({                                                                                                             \
		u64 value_;                                                                                            \
		asm("%0 = %1 ll" : "=r"(value_) : "i"(mark));                                                          \
		value_;                                                                                                \
	})

/* The helpers that read user memory, under names that bcc does not know: for each call of theirs it would read all of
 * /proc/kallsyms to see whether the kernel has them, a fifth of a second each time. Every kernel since 5.5 has them. */
static long (*read_user)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user;
static long (*read_user_str)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user_str;

/* One pointer of the kernel's, wherever it stands: a list_head begins with one. */
#define READ_POINTER(place) ((void *)READ((struct list_head *)(place), next))
/* The same of one word that is a number. */
#define READ_WORD(place) ((u64)READ((struct atomic64_t *)(place), counter))

/* Newer kernels run the programs of tracepoints preemptibly, and skip a program on a CPU where another task was preempted
 * inside it: that CPU's events of a whole time slice, or more, would go uncounted. So a program keeps its CPU. A plain
 * preempt_enable at the end would yield there and then, still inside; with interrupts off it does not, and the kernel yields
 * a few instructions later, behind the program. What is left are the instructions before and after. */
#ifdef KEEP_CPU
static void (*preempt_disable)(void) = (void *)PREEMPT_DISABLE_PLACEHOLDER;
static void (*preempt_enable)(void) = (void *)PREEMPT_ENABLE_PLACEHOLDER;
static void (*local_irq_save)(u64 *) = (void *)LOCAL_IRQ_SAVE_PLACEHOLDER;
static void (*local_irq_restore)(u64 *) = (void *)LOCAL_IRQ_RESTORE_PLACEHOLDER;

static __always_inline void keep_cpu(void)
{
	preempt_disable();
}

static __always_inline void give_cpu(void)
{
	u64 flags;
	local_irq_save(&flags);
	preempt_enable();
	local_irq_restore(&flags);
}
#else
#define keep_cpu()
#define give_cpu()
#endif

/* A program for the raw tracepoint of this name. Named so that bcc does not attach it by itself. */
#define PROBE(name)                                                                                                    \
	static __always_inline int keeping_cpu_##name(struct bpf_raw_tracepoint_args *ctx);                            \
	int on_##name(struct bpf_raw_tracepoint_args *ctx)                                                             \
	{                                                                                                              \
		keep_cpu();                                                                                            \
		keeping_cpu_##name(ctx);                                                                               \
		give_cpu();                                                                                            \
		return 0;                                                                                              \
	}                                                                                                              \
	static __always_inline int keeping_cpu_##name(struct bpf_raw_tracepoint_args *ctx)

/* A program for an end of a system call, or one that follows it by a tail call. Where raw tracepoints are preemptible these
 * come by trace events, which are not: they are too many for the few instructions that are left above. */
#define CALL_PROBE(name) int on_##name(struct call_context *ctx)

#ifdef CALLS_BY_EVENTS
struct call_context {
	u64 common;
	u64 number;
	u64 result; /* at the end of the call; at its beginning the first argument */
};
#define CALL_REGISTERS(ctx) ((struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()))
#define CALL_NUMBER(ctx) ((ctx)->number)
#define CALL_RESULT(ctx) ((ctx)->result)
#else
#define call_context bpf_raw_tracepoint_args
#define CALL_REGISTERS(ctx) ((struct pt_regs *)(ctx)->args[0])
#define CALL_NUMBER(ctx) ((ctx)->args[1])
#define CALL_RESULT(ctx) ((ctx)->args[1])
#endif

/* A program for a tracepoint that a process reaches by itself, never in an interrupt, and of whose arguments it needs none.
 * It comes by the trace event where system calls do. */
#ifdef CALLS_BY_EVENTS
#define TASK_PROBE(name) int on_##name(struct call_context *ctx)
#else
#define TASK_PROBE(name) PROBE(name)
#endif

/* A program for a clock that interrupts each CPU. */
#define CLOCK_PROBE(name) int on_##name(struct bpf_perf_event_data *ctx)

#ifdef __aarch64__
#define SAMPLED_IN_USER(ctx) (!((ctx)->regs.pstate & 0xf)) /* PSR_MODE_EL0t of asm/ptrace.h */
#define SAMPLED_ADDRESS(ctx) ((ctx)->regs.pc)
#define SAMPLED_LINK(ctx) ((ctx)->regs.regs[30])
#else
/* The kernel lets a program load whole words of these registers only, and some kernels say that this one is shorter. */
#define SAMPLED_IN_USER(ctx) ((*(volatile u64 *)&(ctx)->regs.cs & 3) == 3)
#define SAMPLED_ADDRESS(ctx) ((ctx)->regs.ip)
#define SAMPLED_STACK_POINTER(ctx) ((ctx)->regs.sp)
#endif

#define CURRENT_TASK ((struct task_struct *)bpf_get_current_task())

#define MSG_PEEK_FLAG 2
#define AT_REMOVEDIR_FLAG 0x200
#define FAMILY_INET 2
#define FAMILY_INET6 10
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define ERROR_AGAIN 11
#define ERROR_BADF 9
#define ERROR_EXISTS 17
#define SIGNAL_KILL 9
#define ERROR_NOT_SOCKET 88
/* From here on a result is no error but an order to restart the call, which user space never sees (linux/errno.h). */
#define ERROR_RESTART_FIRST 512
#define ERROR_RESTART_LAST 516

/* Both architectures keep a call's arguments in the saved registers until it has returned; arm64 moves the first. */
#ifdef __aarch64__
#define SYSCALL_NUMBER(saved) ((u32)READ(saved, syscallno))
#define SYSCALL_ARG0(saved) READ(saved, orig_x0)
#define SYSCALL_ARG1(saved) READ(saved, regs[1])
#define SYSCALL_ARG2(saved) READ(saved, regs[2])
#define SYSCALL_ARG3(saved) READ(saved, regs[3])
#define SYSCALL_ARG4(saved) READ(saved, regs[4])
#define IS_32BIT_CALL(saved) ((READ(saved, pstate) & 0x10) != 0) /* PSR_MODE32_BIT of asm/ptrace.h */
#else
#define SYSCALL_NUMBER(saved) ((u32)READ(saved, orig_ax))
#define SYSCALL_ARG0(saved) READ(saved, di)
#define SYSCALL_ARG1(saved) READ(saved, si)
#define SYSCALL_ARG2(saved) READ(saved, dx)
#define SYSCALL_ARG3(saved) READ(saved, r10)
#define SYSCALL_ARG4(saved) READ(saved, r8)
#define IS_32BIT_CALL(saved) ((u16)READ(saved, cs) == 0x23) /* __USER32_CS of asm/segment.h */
#endif

/* Makes the verifier forget what it knows of a local variable. Behind a loop it would otherwise check all that follows once
 * for each number of rounds, because each leaves another range of values. */
#define FORGET(variable) bpf_probe_read_kernel(&(variable), sizeof(variable), &(variable))

/* 1 from the moment the last probe is attached until the trace ends: everything counted belongs to that time. */
BPF_ARRAY(gate, u32, 1);

static __always_inline int tracing(void)
{
	u32 first = 0;
	u32 *open = gate.lookup(&first);
	return open && *open;
}

/* What was not kept, by LOST_ number. */
BPF_PERCPU_ARRAY(lost, u64, LOST_COUNT);

static __always_inline void lose_many(u32 what, u64 count)
{
	u64 *counter = lost.lookup(&what);
	if (counter)
		__sync_fetch_and_add(counter, count);
}

static __always_inline void lose(u32 what)
{
	lose_many(what, 1);
}

static __always_inline void count_or_lose(u64 *counter, u32 what)
{
	if (counter)
		__sync_fetch_and_add(counter, 1);
	else
		lose(what);
}
