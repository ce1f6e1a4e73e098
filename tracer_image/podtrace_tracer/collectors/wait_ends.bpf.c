/* SPDX-License-Identifier: GPL-2.0 */
/* cpu: the ends of system calls in a trace that counts none of them: for the stacks of waits that lasted. */

#ifdef PROBE_SYS_EXIT
CALL_PROBE(sys_exit)
{
	struct call *call = current_call();
	if (call && (call->flags & CALL_WAITED))
		tails.call(ctx, TAIL_WAITS);
	return 0;
}
#endif
