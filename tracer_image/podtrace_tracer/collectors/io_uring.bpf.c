/* SPDX-License-Identifier: GPL-2.0 */
/* Requests that a process hands to io_uring: no system call carries them, so the other programs do not see them. */

static __always_inline int request_submitted(u32 opcode)
{
	if (!tracing() || !current_in_scope())
		return 0;
	u64 bit = opcode < 64 ? 1ULL << opcode : 0;
	u32 operation;
	if (opcode >= IO_URING_KNOWN)
		operation = OP_IO_URING_UNKNOWN;
	else if (bit & IO_URING_TRANSFERS)
		operation = OP_IO_URING_TRANSFER;
	else if (bit & IO_URING_MESSAGES)
		operation = OP_IO_URING_MESSAGE;
	else if (bit & IO_URING_ACCEPTS)
		operation = OP_IO_URING_ACCEPT;
	else if (bit & IO_URING_NAMES)
		operation = OP_IO_URING_NAME;
	else if (bit & IO_URING_CLOSES)
		operation = OP_IO_URING_CLOSE;
	else
		return 0; /* what no topic would count, were it a system call */
	/* The kernel's own thread that polls for requests is one of the process. */
	struct process *process = current_process();
	count_once(process ? process->scope : task_scope(CURRENT_TASK), operation);
	return 0;
}

#if defined(IO_URING_REQUEST)
#define SUBMITTED_OPCODE READ((struct io_kiocb *)ctx->args[IO_URING_REQUEST], opcode)
#elif defined(IO_URING_OPCODE)
#define SUBMITTED_OPCODE ((u8)ctx->args[IO_URING_OPCODE])
#endif

#if defined(PROBE_IO_URING_SUBMIT_REQ)
PROBE(io_uring_submit_req)
{
	return request_submitted(SUBMITTED_OPCODE);
}
#elif defined(PROBE_IO_URING_SUBMIT_SQE)
PROBE(io_uring_submit_sqe)
{
	return request_submitted(SUBMITTED_OPCODE);
}
#endif
