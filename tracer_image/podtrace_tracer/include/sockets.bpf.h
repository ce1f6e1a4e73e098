/* SPDX-License-Identifier: GPL-2.0 */
/* Whose socket is it: packets and timers act on sockets in interrupts, where the current task means nothing. */

#define STATE_ESTABLISHED 1
#define STATE_SYN_SENT 2
#define STATE_CLOSE 7

struct owned_socket {
	u64 attempt_ns;
	u32 scope;
	u32 tgid;
	struct address remote;
	u32 sends;
	u32 exchanges; /* how often something was received behind what had been sent */
	u32 awaits;    /* has something been sent since? */
	u32 is_tls;
	u64 handshake_ns; /* 0 where the target did not open it while it was traced */
};
/* From connect or accept to the end of the socket. Never an LRU map: an evicted owner would be a silent loss. */
BPF_HASH(sockets, u64, struct owned_socket, MAX_SOCKETS);
/* Sockets that existed before the probes, by cookie: the tracer finds them by sock_diag. */
BPF_HASH(known_sockets, u64, u32, MAX_SOCKETS);

/* The scope that owns a socket, or -1. */
static __always_inline int socket_scope(struct sock *sk)
{
	u64 key = (u64)sk;
	struct owned_socket *owned = sockets.lookup(&key);
	if (owned)
		return owned->scope;
	u64 cookie = READ(sk, __sk_common.skc_cookie.counter);
	u32 *scope = cookie ? known_sockets.lookup(&cookie) : 0;
	return scope ? (int)*scope : -1;
}

static __always_inline void count_for_socket(struct sock *sk, u32 operation)
{
	int scope = tracing() ? socket_scope(sk) : -1;
	if (scope >= 0)
		count_once(scope, operation);
}
