/* SPDX-License-Identifier: GPL-2.0 */
/* What a switch leaves to the programs of the topic locks, if that was asked for. */

/* What is known of a wait, in `lock_flags` of the thread that is off its CPU. */
#define LOCK_HELD 1	   /* it waits in the way of a lock that another thread holds */
#define LOCK_HAS_TIMEOUT 2 /* it gives up after a time */
#define LOCK_QUEUED 4	   /* it is among those that `lock_queues` counts */
#define LOCK_WAKING_SEEN 8
#define LOCK_WOKEN 16 /* by a thread of the target */
#define LOCK_INTERRUPTED 32
#define LOCK_WAKING_MISSED 64

#ifdef TOPIC_LOCKS
/* A wait for a futex that is over: it is counted by a program that follows. */
struct lock_came {
	u64 address;
	u64 waited_ns;
	u64 stack;
	u32 tid;
	u32 scope;
	u32 flags;
	u32 unused;
};

/* What one switch leaves to the programs that follow it: the thread that comes; the one that goes, where nobody saw it come;
 * what that one waits for now. */
struct lock_work {
	struct lock_came previous;
	struct lock_came next;
	u32 class;
	u32 unused;
};
BPF_PERCPU_ARRAY(lock_work, struct lock_work, 1);

static __always_inline void lock_comes(const struct off_cpu *thread, u64 now, int is_next)
{
	u32 first = 0;
	struct lock_work *work = thread->lock_address ? lock_work.lookup(&first) : 0;
	if (!work)
		return;
	struct lock_came *came = is_next ? &work->next : &work->previous;
	u64 left = thread->left_ns, woken = thread->woken_ns;
	if (now < left)
		now = left;
	if (woken > left && woken <= now)
		now = woken;
	came->address = thread->lock_address;
	came->waited_ns = now - left;
	came->stack = thread->lock_stack;
	came->tid = thread->tid;
	came->scope = thread->scope;
	came->flags = thread->lock_flags;
	if (woken && !(came->flags & LOCK_WAKING_SEEN))
		came->flags |= LOCK_WAKING_MISSED;
}

/* Which program follows a switch: TAILS if there is none. */
static __always_inline u32 next_after_switch(u32 class)
{
	u32 first = 0;
	struct lock_work *work = lock_work.lookup(&first);
	if (work && (work->previous.tid || work->next.tid)) {
		work->class = class;
		return TAIL_LOCK_CAME;
	}
	if (class && class <= WAIT_NEW_LOCK)
		return TAIL_LOCK_WAIT;
	return class >= WAIT_FIRST_ON_SETS ? TAIL_DESCRIPTOR_WAIT : TAILS;
}
#else
#define lock_comes(thread, now, is_next)
#define next_after_switch(class) ((class) >= WAIT_FIRST_ON_SETS ? TAIL_DESCRIPTOR_WAIT : TAILS)
#endif
