/* SPDX-License-Identifier: GPL-2.0 */
/* Waits off the CPU that lasted. Only where such a wait is over it is known that it was long, and the thread whose stack is wanted
 * does not run yet: so the system call that it waits in is marked, in the place that the ends of system calls look at anyway, and
 * a program that follows the end of the call takes the stack. Short waits cost a comparison.
 */

#define LONG_WAITS
#define WAITS_OF_CALL 8

/* What a thread waited for in one system call: the first ones. */
struct long_waits {
	u64 stack;
	u64 durations_ns[WAITS_OF_CALL];
	u32 operations[WAITS_OF_CALL];
	u32 count;
	u32 scope;
};
BPF_HASH(long_waits, u32, struct long_waits, MAX_LONG_WAITS);

/* The call that a thread is in does not end, or not as the program that it began in. */
static __always_inline void long_waits_forgotten(u32 tid)
{
	long_waits.delete(&tid);
}

/* Notes a wait of a thread that comes back, for the end of the call that it is in. It is left out, and stays in the totals, where
 * another thread has the place of the call. */
static __always_inline void long_wait_noted(u32 tid, u32 scope, u32 operation, u64 duration)
{
	struct call *call = call_slot(tid);
	if (!call)
		return;
	int is_own = call->tid == tid && (call->flags & CALL_ACTIVE);
	if (!is_own && (call->flags & CALL_ACTIVE)) {
		lose(LOST_LONG_WAITS);
		return;
	}
	if (!is_own || !(call->flags & CALL_WAITED)) {
		/* What stands there under this thread is of a call whose mark was lost. */
		struct long_waits fresh = {.scope = scope};
		if (long_waits.update(&tid, &fresh)) {
			lose(LOST_LONG_WAITS);
			return;
		}
	}
	struct long_waits *waits = long_waits.lookup(&tid);
	if (!waits || waits->count >= WAITS_OF_CALL) {
		lose(LOST_LONG_WAITS);
		return;
	}
	u64 place = waits->count;
	/* clang must not leave out the mask, which the verifier needs. */
	asm volatile("" : "+r"(place));
	place &= WAITS_OF_CALL - 1;
	waits->durations_ns[place] = duration;
	waits->operations[place] = operation;
	waits->count++;
	if (is_own) {
		call->flags |= CALL_WAITED;
		return;
	}
	/* A call of a kind that is not counted, or whose beginning was not seen. */
	call->tid = tid;
	call->class = 0;
	call->file = 0;
	call->flags = CALL_ACTIVE | CALL_WAITED;
}
