/* SPDX-License-Identifier: GPL-2.0 */
/* Whose socket is it: packets and timers act on sockets in interrupts, where the current task means nothing. */

#define STATE_ESTABLISHED 1
#define STATE_SYN_SENT 2
#define STATE_CLOSE 7
#define STATE_LISTEN 10

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

/* Interrupts reach the tracepoints of sockets as processes do, and the kernel skips a program on a CPU where the same program
 * is at work already. A timer may end a hundred connections in such a moment, so each of these programs is attached twice,
 * and of the two copies, which the kernel runs one after the other, exactly one acts:
 * - For a socket that a process holds, the first. Nothing of ours is at work on that CPU then, so none is skipped.
 * - For a socket that an interrupt holds, the second where the first was skipped, because the first leaves a note. Such a
 *   hit is not interrupted by another one. If the second was skipped, its note stays; no hit that skips the first reads it
 *   before a process's hit has taken it away. */
BPF_PERCPU_ARRAY(hit_of_first_copy, u64, 1);

/* What tells one hit of a socket from another: states are numbered from 1, the other tracepoints behind them. */
#define HIT_DESTROYED 16
#define HIT_RETRANSMIT 17
#define HIT_RESET_SENT 18
#define HIT_RESET_RECEIVED 19

static __always_inline int is_held_by_process(struct sock *sk)
{
	return READ(sk, sk_lock__owned) != 0;
}

static __always_inline int is_for_this_copy(struct sock *sk, u32 number, int by_process)
{
	u32 only = 0;
	u64 hit = (u64)sk + number, *of_first = hit_of_first_copy.lookup(&only);
	if (!of_first)
		return 0;
	if (by_process) {
		*of_first = 0;
		return SOCKET_COPY == 0;
	}
	if (SOCKET_COPY == 0) {
		*of_first = hit;
		return 1;
	}
	return *of_first != hit;
}

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
