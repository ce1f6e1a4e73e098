/* SPDX-License-Identifier: GPL-2.0 */
/* descriptors: who called the function that made a system call, where that function uses frame pointer and stack for itself, as
 * the C library's open does. Its return address stands somewhere above its stack pointer. So might one that an earlier call has
 * left there; but the depth is always the same, and what was left over is not.
 */

#ifndef __aarch64__
#define DEPTHS 48
/* So far behind its beginning a function is taken to be still the same. */
#define WRAPPER_BYTES 4096

struct wrapper {
	u64 address;
	u64 tgid;
};
/* A bit for each word above the stack pointer in which each call so far had a return address. */
BPF_HASH(wrapper_depths, struct wrapper, u64, MAX_WRAPPERS);

static __always_inline u64 user_word(u64 address)
{
	u64 word = 0;
	read_user(&word, sizeof(word), (void *)address);
	return word;
}

/* Where a jump of the linkage table leads: FF 25, perhaps behind ENDBR64 and BND. */
static __always_inline u64 linked_function(u64 stub)
{
	if ((u32)user_word(stub) == 0xfa1e0ff3)
		stub += 4;
	u64 code = user_word(stub);
	if ((code & 0xff) == 0xf2) {
		stub++;
		code >>= 8;
	}
	if ((code & 0xffff) != 0x25ff)
		return 0;
	return user_word(stub + 6 + (s64)(s32)user_word(stub + 2));
}

/* Does the call that stands before an address lead to the function that another one is in? */
static __always_inline int calls_function_at(u64 address, u64 inside)
{
	u64 code = address < 4096 ? 0 : user_word(address - 8);
	u64 place = address + (s64)(s32)(code >> 32), function = 0;
	if ((code >> 24 & 0xff) == 0xe8)
		function = inside - place < WRAPPER_BYTES ? place : linked_function(place);
	else if ((code >> 16 & 0xffff) == 0x15ff)
		function = user_word(place);
	return function && inside - function < WRAPPER_BYTES;
}

/* The words at which it was in each call so far; to look at others would cost a fault for many a one. */
static __always_inline u64 possible_depths(u64 address)
{
	struct wrapper wrapper = {.address = address, .tgid = bpf_get_current_pid_tgid() >> 32};
	u64 *known = wrapper_depths.lookup(&wrapper);
	return known ? *known : ~0ULL;
}

/* The words at which it can be, after this call; 0 where nothing is known. */
static __always_inline u64 narrowed(u64 address, u64 depths)
{
	struct wrapper wrapper = {.address = address, .tgid = bpf_get_current_pid_tgid() >> 32};
	u64 *known = wrapper_depths.lookup(&wrapper);
	if (!known) {
		wrapper_depths.update(&wrapper, &depths);
		return depths;
	}
	depths &= *known;
	if (depths)
		*known = depths;
	else
		wrapper_depths.delete(&wrapper); /* once there was none but what was left over */
	return depths;
}

/* One caller; the next one by calling itself. */
CALL_PROBE(callers)
{
	u32 first = 0;
	struct openings *seen = openings.lookup(&first);
	if (!seen)
		return 0;
	u64 place = seen->place, inside = seen->inside, possible = possible_depths(inside), i = 0;
	seen->depths = 0;
	do {
		asm volatile("" : "+r"(i));
		if ((possible >> (i & 63) & 1) && calls_function_at(user_word(place + i * 8), inside))
			seen->depths |= 1ULL << (i & 63);
	} while (++i < DEPTHS);
	u64 depths = seen->depths ? narrowed(inside, seen->depths) : 0;
	u64 nearest = log2_of(depths & -depths), caller = depths ? user_word(place + nearest * 8) : 0;
	u32 callers = seen->callers;
	/* Where several are possible, they can be the same one. */
	if (!caller || caller != user_word(place + log2_of(depths) * 8) || callers > FURTHER_CALLERS) {
		tails.call(ctx, TAIL_OPENERS);
		return 0;
	}
	if (callers)
		seen->further[(callers - 1) & (FURTHER_CALLERS - 1)] = caller;
	else
		seen->caller = caller;
	seen->callers = callers + 1;
	seen->place = place + nearest * 8 + 8;
	seen->inside = caller;
	tails.call(ctx, TAIL_CALLERS);
	return 0;
}
#endif
