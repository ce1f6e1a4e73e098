/* SPDX-License-Identifier: GPL-2.0 */
/* Calls that move data: the same ones do it for files and for sockets. */

#if defined(TOPIC_TCP) || defined(TOPIC_UDP)
static __always_inline void socket_event(u32 operation, const struct finished *finished, struct sock *sk,
					 const struct done *done)
{
	struct event *event = event_of_call(operation, finished->scope, finished->process, done);
	if (!event)
		return;
	struct address remote = {};
	remote_address(sk, &remote);
	/* A datagram's socket may be connected to nobody. */
	if (remote.port)
		event_address(event, &remote);
	event_send(event);
}

static __always_inline void slow_on_socket(struct slow_target *target, struct sock *sk)
{
	struct address remote = {};
	remote_address(sk, &remote);
	if (remote.port)
		slow_at_address(target, &remote);
}

/* A send or receive on a TCP or UDP socket that has returned. */
static __always_inline void socket_done(const struct finished *finished, struct sock *sk, u32 protocol, u32 writes,
					const struct done *done)
{
	u32 operation = OPERATIONS;
#ifdef TOPIC_TCP
	if (protocol == PROTOCOL_TCP)
		operation = writes ? OP_TCP_SEND : OP_TCP_RECEIVE;
#endif
#ifdef TOPIC_UDP
	if (protocol == PROTOCOL_UDP)
		operation = writes ? OP_UDP_SEND : OP_UDP_RECEIVE;
#endif
	enum outcome outcome = operation == OPERATIONS ? OUTCOME_NONE : count_done(finished->scope, operation, done);
	if (outcome == OUTCOME_NONE)
		return;
	count_for_process(finished->process);
#if defined(TOPIC_CONNECTIONS) && defined(TOPIC_TCP)
	if (protocol == PROTOCOL_TCP && done->bytes)
		exchange_seen(finished, sk, writes);
#endif
	struct slow_target *target = slow_seen(operation, finished->scope, done, RTT_THRESHOLD_NS);
	if (target)
		slow_on_socket(target, sk);
	if (outcome == OUTCOME_ERROR)
		socket_event(operation, finished, sk, done);
#ifdef TOPIC_TCP
	else if (protocol == PROTOCOL_TCP && READ(sk, __sk_common.skc_state) == STATE_ESTABLISHED)
		tcp_rtt_sample(finished->scope, sk);
#endif
}
#endif

/* One transfer through a file or a socket, in one direction; an fsync is one too. */
static __always_inline void transfer_done(const struct finished *finished, struct file *file, u32 writes,
					  struct done *done)
{
	u32 class = finished->class;
	u16 type = 0;
	/* Calls that exist for sockets only need not ask. */
	if (class >= CLASS_FIRST_ON_SOCKETS && class <= CLASS_LAST_ON_SOCKETS)
		type = file && done->result != -ERROR_NOT_SOCKET ? TYPE_SOCKET : 0;
	else if (file)
		type = type_of(file);
#ifdef TOPIC_FILES
	if (type == TYPE_REGULAR) {
		u32 operation = writes ? OP_FILES_WRITE : OP_FILES_READ;
		done->threshold = FS_THRESHOLD_NS;
		file_done(class == CLASS_FSYNC ? OP_FILES_FSYNC : operation, finished->scope, finished->process, file,
			  done);
	}
#endif
#if defined(TOPIC_TCP) || defined(TOPIC_UDP) || defined(TOPIC_DNS)
	if (type == TYPE_SOCKET && class != CLASS_FSYNC) {
		struct sock *sk = socket_of(file);
		u32 protocol = internet_protocol_of(sk);
		done->threshold = RTT_THRESHOLD_NS;
#if defined(TOPIC_TCP) || defined(TOPIC_UDP)
		socket_done(finished, sk, protocol, writes, done);
#endif
#ifdef TOPIC_DNS
		if (protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP)
			dns_look(finished, sk, protocol, writes, done);
#endif
	}
#endif
}

/* sendmmsg and recvmmsg return messages; the bytes stand in the caller's array of struct mmsghdr. */
CALL_PROBE(messages_exit)
{
	struct tail_work *work = current_tail_work();
	struct pt_regs *regs = CALL_REGISTERS(ctx);
	const char *vector = (const char *)SYSCALL_ARG1(regs);
	u64 bytes = 0, i = 0, count = (s64)CALL_RESULT(ctx) > 0 ? CALL_RESULT(ctx) : 0;
	if (!work)
		return 0;
	work->messages = count;
	/* The loop tests at its end: 5.10's verifier takes a way back only from a conditional jump. */
	if (count)
		do {
			u32 length = 0;
			read_user(&length, sizeof(length), vector + i * MESSAGES_DISTANCE + MESSAGES_LENGTH);
			bytes += length;
			/* clang must not turn the two tests into one that says no bound. */
			asm volatile("" : "+r"(i));
		} while (++i < MAX_MESSAGES && i < count);
	work->bytes = bytes;
	tails.call(ctx, TAIL_MULTIPLE_EXIT);
	return 0;
}

/* Several messages, or one of two ends: sendfile, copy_file_range and splice count at each that is a file or a socket.
 * The second end is counted by calling itself, which leaves the verifier half as deep a program. */
CALL_PROBE(multiple_exit)
{
	struct finished finished = {};
	struct done done = {};
	struct tail_work *work = current_tail_work();
	if (!work || !finish(ctx, work, work->now, &finished, &done))
		return 0;
	u32 class = finished.class, has_two_ends = class == CLASS_SENDFILE || class == CLASS_COPY;
	u32 writes = class == CLASS_SENDMMSG || class == CLASS_SENDFILE;
	done.bytes = done.result > 0 ? done.result : 0;
	if (!has_two_ends) {
		done.bytes = work->bytes;
		done.messages = work->messages;
	}
	if (work->ends_done) {
		writes = !writes;
		finished.file =
			file_of(class == CLASS_SENDFILE ? SYSCALL_ARG1(finished.regs) : SYSCALL_ARG2(finished.regs));
	}
	if (!finished.peeks)
		transfer_done(&finished, finished.file, writes, &done);
	work->ends_done++;
	if (has_two_ends && work->ends_done < 2)
		tails.call(ctx, TAIL_MULTIPLE_EXIT);
	forget_call(finished.call);
	go_on(ctx, work);
	return 0;
}
