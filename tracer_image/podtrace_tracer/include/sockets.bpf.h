/* SPDX-License-Identifier: GPL-2.0 */
/* Whose socket is it: packets and timers act on sockets in interrupts, where the current task means nothing. */

#define STATE_ESTABLISHED 1
#define STATE_SYN_SENT 2
#define STATE_CLOSE 7

struct address {
	u16 family;
	u16 port;
	u8 bytes[16];
};

struct owned_socket {
	u64 attempt_ns;
	u32 scope;
	u32 tgid;
	struct address remote;
};
/* From connect or accept to the end of the socket. Never an LRU map: an evicted owner would be a silent loss. */
BPF_HASH(sockets, u64, struct owned_socket, MAX_SOCKETS);
/* Sockets that existed before the probes, by cookie: the tracer finds them by sock_diag. */
BPF_HASH(known_sockets, u64, u32, MAX_SOCKETS);

/* IPv4 in IPv6 (::ffff:a.b.c.d) is IPv4: a Java client's sockets are all of this kind. */
static __always_inline void address_unmap(struct address *address)
{
	u64 high = *(u64 *)&address->bytes[0];
	u32 marker = *(u32 *)&address->bytes[8];
	if (address->family != FAMILY_INET6 || high || marker != 0xffff0000)
		return;
	u32 low = *(u32 *)&address->bytes[12];
	__builtin_memset(address->bytes, 0, sizeof(address->bytes));
	*(u32 *)&address->bytes[0] = low;
	address->family = FAMILY_INET;
}

static __always_inline void remote_address(struct sock *sk, struct address *address)
{
	address->family = READ(sk, __sk_common.skc_family);
	u16 port = READ(sk, __sk_common.skc_dport);
	address->port = __builtin_bswap16(port);
	if (address->family == FAMILY_INET) {
		bpf_probe_read_kernel(address->bytes, 4, &sk->__sk_common.skc_daddr);
	} else {
		bpf_probe_read_kernel(address->bytes, 16, &sk->__sk_common.skc_v6_daddr);
		address_unmap(address);
	}
}

static __always_inline void event_address(struct event *event, const struct address *address)
{
	event->family = address->family;
	event->port = address->port;
	__builtin_memcpy(event->address, address->bytes, sizeof(event->address));
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
