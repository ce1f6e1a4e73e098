/* SPDX-License-Identifier: GPL-2.0 */
/* tcp: the socket's own round-trip time, retransmissions, resets. Sends and receives are in transfers.bpf.c. */

static __always_inline void tcp_rtt_sample(u32 scope, struct sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;
	u64 smoothed_ns = (READ(tcp, srtt_us) >> 3) * 1000ULL;
	if (smoothed_ns)
		count_sample(scope, OP_TCP_RTT, smoothed_ns, RTT_THRESHOLD_NS);
}

#ifdef PROBE_TCP_RETRANSMIT_SKB
PROBE(tcp_retransmit_skb)
{
	struct sock *sk = (struct sock *)ctx->args[0];
#ifdef RETRANSMIT_HAS_RESULT
	if ((int)ctx->args[2])
		return 0;
#endif
	if (is_for_this_copy(sk, HIT_RETRANSMIT, is_held_by_process(sk)))
		count_for_socket(sk, OP_TCP_RETRANSMIT);
	return 0;
}
#endif

#ifdef PROBE_TCP_SEND_RESET
PROBE(tcp_send_reset)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	if (!sk)
		return 0;
	/* A listening socket sends resets in interrupts only, whether or not a process holds it meanwhile. */
	int by_process = is_held_by_process(sk) && READ(sk, __sk_common.skc_state) != STATE_LISTEN;
	if (is_for_this_copy(sk, HIT_RESET_SENT, by_process))
		count_for_socket(sk, OP_TCP_RESET_SENT);
	return 0;
}
#endif

#ifdef PROBE_TCP_RECEIVE_RESET
PROBE(tcp_receive_reset)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	if (is_for_this_copy(sk, HIT_RESET_RECEIVED, is_held_by_process(sk)))
		count_for_socket(sk, OP_TCP_RESET_RECEIVED);
	return 0;
}
#endif
