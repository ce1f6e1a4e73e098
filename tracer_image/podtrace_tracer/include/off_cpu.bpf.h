/* SPDX-License-Identifier: GPL-2.0 */
/* Threads of the target that are off their CPU. */

/* A thread that is off its CPU; `operation` is what its wait counts as until it is woken, `in_call` that it waits in a system call.
 * What is called `lock` is for the topic locks. */
struct off_cpu {
	u64 left_ns;
	u64 woken_ns;
	u64 charged_ns;
	u32 tid;
	u32 scope;
	u16 operation;
	u16 in_call;
	u32 lock_flags;
	u64 lock_address;
	u64 lock_stack;
};

/* By the low bits of the thread id, four to a place: a switch writes it and the wake-up and the return look there, so a thread
 * that is none of the target's costs one look-up. Two CPUs that take the same place in the same moment leave one wait untimed. */
struct off_cpu_place {
	struct off_cpu threads[4];
};
BPF_ARRAY(off_cpu, struct off_cpu_place, OFF_CPU_PLACES);

/* The one in a thread's place that holds `held`: the thread itself, or nobody (0) for a thread that leaves. 0 if there is none. */
static __always_inline struct off_cpu *off_cpu_holding(u32 tid, u32 held)
{
	u32 index = tid & (OFF_CPU_PLACES - 1);
	struct off_cpu_place *place = off_cpu.lookup(&index);
	if (!place)
		return 0;
	if (place->threads[0].tid == held)
		return &place->threads[0];
	if (place->threads[1].tid == held)
		return &place->threads[1];
	if (place->threads[2].tid == held)
		return &place->threads[2];
	return place->threads[3].tid == held ? &place->threads[3] : 0;
}

static __always_inline struct off_cpu *off_cpu_of(u32 tid)
{
	return off_cpu_holding(tid, tid);
}
