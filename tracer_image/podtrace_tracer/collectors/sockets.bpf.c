/* SPDX-License-Identifier: GPL-2.0 */
/* The life of TCP sockets, for tcp and connections alike. */

static __always_inline void socket_remember(struct sock *sk, u32 scope, u64 attempt_ns)
{
	u64 key = (u64)sk;
	struct owned_socket owned = {.attempt_ns = attempt_ns, .scope = scope};
	owned.tgid = bpf_get_current_pid_tgid() >> 32;
	remote_address(sk, &owned.remote);
	if (sockets.update(&key, &owned))
		lose(LOST_SOCKETS);
}

/* A socket ends. Its connection was for one request only, if no second one followed; the handshake of TLS is no request. */
static __always_inline void socket_forget(u64 key)
{
#if defined(TOPIC_CONNECTIONS) && defined(TOPIC_TCP)
	struct owned_socket *owned = sockets.lookup(&key);
	if (owned && owned->handshake_ns && owned->sends && owned->exchanges <= 1 + owned->is_tls && tracing()) {
		struct target_counters *target = target_of(owned->scope, &owned->remote);
		if (target) {
			__sync_fetch_and_add(&target->one_shots, 1);
			__sync_fetch_and_add(&target->one_shot_ns, owned->handshake_ns);
		}
	}
#endif
	sockets.delete(&key);
}

static __always_inline void accept_done(u32 scope, struct process *process, const struct done *done)
{
	struct file *file = done->result >= 0 ? file_of(done->result) : 0;
	struct sock *sk = file && type_of(file) == TYPE_SOCKET ? tcp_socket_of(file) : 0;
	if (!sk)
		return;
	socket_remember(sk, scope, 0);
	if (!tracing())
		return;
#ifdef TOPIC_TCP
	count_once(scope, OP_TCP_STATE_FIRST);
#endif
#ifdef TOPIC_CONNECTIONS
	u64 key = (u64)sk;
	struct owned_socket *owned = sockets.lookup(&key);
	count_once(scope, OP_CONNECTIONS_ACCEPT);
	count_for_process(process);
	if (owned)
		connection_event(SCRATCH_PROCESS, OP_CONNECTIONS_ACCEPT, owned, done->start ? done->start : done->now,
				 done->now, 0);
#endif
}

static __always_inline void attempt_starts(struct sock *sk)
{
	if (!current_in_scope())
		return;
	struct process *process = current_process();
	u32 scope = process ? process->scope : task_scope(CURRENT_TASK);
	struct call *call = current_call();
	if (call)
		call->flags |= CALL_ATTEMPT_SEEN;
	socket_remember(sk, scope, tracing() ? bpf_ktime_get_ns() : 0);
#ifdef TOPIC_CONNECTIONS
	u64 key = (u64)sk;
	struct owned_socket *owned = sockets.lookup(&key);
	if (owned && owned->attempt_ns)
		attempt_begun(scope, process, &owned->remote);
#endif
}

#ifdef TOPIC_CONNECTIONS
static __always_inline void attempt_established(u32 scratch, struct sock *sk, struct owned_socket *owned, u64 now)
{
	u64 duration = now - owned->attempt_ns;
	struct target_counters *target = target_of(owned->scope, &owned->remote);
	count_sample_once(owned->scope, OP_CONNECTIONS_HANDSHAKE, duration);
	if (target) {
		owned->handshake_ns = duration;
#ifdef TOPIC_TCP
		socket_unsettled(sk);
#endif
		__sync_fetch_and_add(&target->established, 1);
		__sync_fetch_and_add(&target->handshake_ns, duration);
		if (duration > target->max_ns)
			target->max_ns = duration;
	}
	connection_event(scratch, OP_CONNECTIONS_ATTEMPT, owned, owned->attempt_ns, now, 0);
}

static __always_inline void attempt_ends(u32 scratch, struct sock *sk, struct owned_socket *owned, u32 state)
{
	u64 now = bpf_ktime_get_ns();
	if (state == STATE_ESTABLISHED) {
		attempt_established(scratch, sk, owned, now);
	} else {
		u32 error = READ(sk, sk_err);
		struct call *call = error ? 0 : current_call();
		/* connect itself gives up (no free port, no route): its result, which is yet to come, names the reason. */
		if (call && call->class == CLASS_CONNECT && (call->flags & CALL_ATTEMPT_SEEN)) {
			call->flags |= CALL_ATTEMPT_FAILED;
			return;
		}
		attempt_failed(scratch, owned, now, error ? error : ERROR_ABORTED);
	}
	owned->attempt_ns = 0;
}
#endif

PROBE(inet_sock_set_state)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	u32 state = ctx->args[2];
	if (READ(sk, sk_protocol) != PROTOCOL_TCP || state > TCP_STATES || state < 1)
		return 0;
	int by_process = is_held_by_process(sk);
	if (!is_for_this_copy(sk, state, by_process))
		return 0;
	if (state == STATE_SYN_SENT)
		attempt_starts(sk);
#ifdef TOPIC_TCP
	count_for_socket(sk, OP_TCP_STATE_FIRST + state - 1);
#endif
	u64 key = (u64)sk;
#ifdef TOPIC_CONNECTIONS
	struct owned_socket *owned = sockets.lookup(&key);
	if (owned && owned->attempt_ns && (state == STATE_ESTABLISHED || state == STATE_CLOSE) && tracing())
		attempt_ends(by_process ? SCRATCH_PROCESS : SCRATCH_INTERRUPT, sk, owned, state);
#endif
#ifndef PROBE_TCP_DESTROY_SOCK
	if (state == STATE_CLOSE)
		socket_forget(key);
#endif
	return 0;
}

#ifdef PROBE_TCP_DESTROY_SOCK
/* Later than CLOSE: closing with unread data sends its reset after the state has changed. */
PROBE(tcp_destroy_sock)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	if (is_for_this_copy(sk, HIT_DESTROYED, is_held_by_process(sk)))
		socket_forget((u64)sk);
	return 0;
}
#endif
