/* SPDX-License-Identifier: GPL-2.0 */
/* udp: datagrams that were dropped at their socket. Sends and receives are in transfers.bpf.c. */

#if defined(PROBE_UDP_FAIL_QUEUE_RCV_SKB) && SCOPE_HIERARCHY_IS_V2
/* The v2 cgroup of the process that made a socket; older kernels share its place with a number, which is odd. */
static __always_inline struct cgroup *cgroup_of_socket(struct sock *sk)
{
#ifdef HAVE_sock_cgroup_data__cgroup
	return READ(sk, sk_cgrp_data.cgroup);
#else
	u64 value = READ(sk, sk_cgrp_data.val);
	return value & 1 ? 0 : (struct cgroup *)value;
#endif
}

/* Datagrams arrive in an interrupt, where the current task means nothing: this goes by who made the socket. */
PROBE(udp_fail_queue_rcv_skb)
{
	struct cgroup *group = tracing() ? cgroup_of_socket((struct sock *)ctx->args[1]) : 0;
	if (group && level_of_target(group) >= 0)
		count_once(cgroup_scope(group), OP_UDP_DROP);
	return 0;
}
#endif
