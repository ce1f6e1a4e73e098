/* SPDX-License-Identifier: GPL-2.0 */
/* tcp: sends and receives, the socket's own round-trip time, retransmissions, resets, states. */

static __always_inline void tcp_rtt_sample(u32 scope, struct sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	u64 smoothed_ns = (READ(tcp, srtt_us) >> 3) * 1000ULL;
	struct total *total = total_of(scope, OP_TCP_RTT);
	if (!smoothed_ns || !total)
		return;
	total->count++;
	count_duration(scope, OP_TCP_RTT, total, smoothed_ns, RTT_THRESHOLD_NS);
}

static __always_inline void tcp_event(u32 operation, const struct process *process, u32 scope, struct sock *sk,
				      const struct done *done)
{
	struct event *event = event_of_call(operation, scope, process, done);
	if (!event)
		return;
	struct address remote = {};
	remote_address(sk, &remote);
	event_address(event, &remote);
	event_send(event);
}

/* A send or receive on a TCP socket that has returned. */
static __always_inline void tcp_done(u32 operation, u32 scope, struct process *process, struct sock *sk,
				     const struct done *done)
{
	enum outcome outcome = count_done(scope, operation, done);
	if (outcome == OUTCOME_NONE)
		return;
	count_for_process(process);
	if (outcome == OUTCOME_ERROR)
		tcp_event(operation, process, scope, sk, done);
	else if (READ(sk, __sk_common.skc_state) == STATE_ESTABLISHED)
		tcp_rtt_sample(scope, sk);
}

#ifdef PROBE_TCP_RETRANSMIT_SKB
PROBE(tcp_retransmit_skb)
{
#ifdef RETRANSMIT_HAS_RESULT
	if ((int)ctx->args[2])
		return 0;
#endif
	count_for_socket((struct sock *)ctx->args[0], OP_TCP_RETRANSMIT);
	return 0;
}
#endif

#ifdef PROBE_TCP_SEND_RESET
PROBE(tcp_send_reset)
{
	if (ctx->args[0])
		count_for_socket((struct sock *)ctx->args[0], OP_TCP_RESET_SENT);
	return 0;
}
#endif

#ifdef PROBE_TCP_RECEIVE_RESET
PROBE(tcp_receive_reset)
{
	count_for_socket((struct sock *)ctx->args[0], OP_TCP_RESET_RECEIVED);
	return 0;
}
#endif
