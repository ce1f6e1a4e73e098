/* SPDX-License-Identifier: GPL-2.0 */
/* descriptors: the stacks behind what suspects open. */

static __always_inline void opener_kept(const struct opening *opening, u32 suspected, struct opener *opener)
{
	struct opener_key key = {.tgid = opener->image.tgid, .descriptor = opening->descriptor};
	opener->inode = opening->inode;
	opener->kind = opening->kind;
	if (!is_suspected(suspected, opening->kind))
		openers.delete(&key);
	else if (openers.update(&key, opener))
		lose(LOST_OPENERS);
}

static __always_inline void callers_wanted(struct openings *seen, struct pt_regs *regs)
{
	seen->is_sought = 1;
	seen->callers = 0;
	seen->caller = hidden_caller(regs);
	__builtin_memset(seen->further, 0, sizeof(seen->further));
#ifndef __aarch64__
	seen->place = READ(regs, sp);
	seen->inside = READ(regs, ip);
#endif
}

/* All that one call has opened comes from the same stack. */
CALL_PROBE(openers)
{
	u32 first = 0;
	struct tail_work *work = current_tail_work();
	struct openings *seen = openings.lookup(&first);
	if (!work || !seen)
		return 0;
	u32 count = work->openings, i = 0, is_wanted = seen->kinds & seen->suspected;
	if (is_wanted && !seen->is_sought) {
		callers_wanted(seen, CALL_REGISTERS(ctx));
		tails.call(ctx, TAIL_CALLERS); /* there is none for some processors */
	}
	struct opener opener = {.at_ns = work->now};
	work->openings = 0;
	fill_image(&opener.image, CURRENT_TASK, 0);
	if (is_wanted)
		opener.stack = take_stack_behind(ctx, SCRATCH_PROCESS, seen->caller, seen->further);
	do {
		/* clang must not leave out the mask, which the verifier needs. */
		asm volatile("" : "+r"(i));
		if (i >= count)
			break;
		opener_kept(&seen->list[i & (OPENINGS - 1)], seen->suspected, &opener);
	} while (++i < OPENINGS);
	work->dns = 0;
	go_on(ctx, work);
	return 0;
}
