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

/* All that one call has opened comes from the same stack. */
CALL_PROBE(openers)
{
	u32 first = 0;
	struct tail_work *work = current_tail_work();
	struct openings *seen = openings.lookup(&first);
	if (!work || !seen)
		return 0;
	u32 count = work->openings, i = 0;
	struct opener opener = {.at_ns = work->now};
	work->openings = 0;
	fill_image(&opener.image, CURRENT_TASK, 0);
	if (seen->kinds & seen->suspected)
		opener.stack = take_stack(ctx, SCRATCH_PROCESS, CALL_REGISTERS(ctx));
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
