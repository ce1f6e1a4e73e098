/* SPDX-License-Identifier: GPL-2.0 */
/* Who opened the descriptors of a kind of which a process has more and more: the latest opener under each number. Whatever a
 * suspect opens comes by here, so what is kept under a number that is open now is of the descriptor that it stands for, and
 * nobody need follow how it was closed before.
 */

#define OPENINGS 32

/* Processes that are suspected of a leak, with a bit for each kind that keeps growing. The tracer puts them there. */
BPF_HASH(suspects, u32, u32, MAX_SUSPECTS);
/* How many they are: where there are none, an opening costs no look-up. */
BPF_ARRAY(suspect_count, u32, 1);

struct opener_key {
	u32 tgid;
	u32 descriptor;
};

struct opener {
	struct image image;
	u64 stack; /* 0: there is none, or no place for it */
	u64 at_ns;
	u64 inode;
	u32 kind;
	u32 unused;
};
BPF_HASH(openers, struct opener_key, struct opener, MAX_OPENERS);

struct opening {
	u64 inode;
	u32 descriptor;
	u32 kind;
};

/* What a call has opened, until a program behind its end notes who called it. */
struct openings {
	u32 kinds; /* a bit for each among them */
	u32 suspected;
	/* Of the search for who called: see callers.bpf.c. */
	u64 depths;
	u64 place;
	u64 inside;
	u64 caller;
	u64 further[FURTHER_CALLERS];
	u32 callers;
	u32 is_sought;
	struct opening list[OPENINGS];
};
BPF_PERCPU_ARRAY(openings, struct openings, 1);

static __always_inline int is_suspected(u32 suspected, u32 kind)
{
	return suspected >> (kind & 31) & 1;
}

/* Under a number that is not noted, nobody is to be found who opened it before. */
static __always_inline void opening_passed_over(u32 tgid, u32 descriptor, u32 suspected, u32 kind)
{
	struct opener_key key = {.tgid = tgid, .descriptor = descriptor};
	openers.delete(&key);
	if (is_suspected(suspected, kind))
		lose(LOST_OPENERS);
}

/* The current process has opened a descriptor. */
static __always_inline void opening_seen(u32 descriptor, u32 kind, struct file *file)
{
	u32 first = 0, tgid = bpf_get_current_pid_tgid() >> 32;
	u32 *count = suspect_count.lookup(&first);
	u32 *suspected = count && *count ? suspects.lookup(&tgid) : 0;
	if (!suspected)
		return;
	struct tail_work *work = current_tail_work();
	struct openings *seen = openings.lookup(&first);
	if (!work || !seen)
		return;
	u32 place = work->openings, kinds = *suspected;
	if (place >= OPENINGS) {
		opening_passed_over(tgid, descriptor, kinds, kind);
		return;
	}
	if (!place) {
		seen->kinds = 0;
		seen->is_sought = 0;
	}
	struct opening *opening = &seen->list[place & (OPENINGS - 1)];
	struct inode *inode = READ(file, f_inode);
	opening->inode = READ(inode, i_ino);
	opening->descriptor = descriptor;
	opening->kind = kind;
	seen->kinds |= 1U << (kind & 31);
	seen->suspected = kinds;
	work->openings = place + 1;
}
