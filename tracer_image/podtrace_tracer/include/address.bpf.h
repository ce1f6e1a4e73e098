/* SPDX-License-Identifier: GPL-2.0 */
/* Where the other side of a socket is. */

struct address {
	u16 family;
	u16 port;
	u8 bytes[16];
};

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

static __always_inline void slow_at_address(struct slow_target *target, const struct address *address)
{
	target->family = address->family;
	target->port = address->port;
	__builtin_memcpy(target->address, address->bytes, sizeof(target->address));
}

/* The address that a program gave, or has been given, in its own memory. */
static __always_inline void user_address(const char *name, struct address *address)
{
	u16 port = 0;
	read_user(&address->family, 2, name);
	read_user(&port, 2, name + 2);
	address->port = __builtin_bswap16(port);
	if (address->family == FAMILY_INET) {
		read_user(address->bytes, 4, name + 4);
	} else {
		read_user(address->bytes, 16, name + 8);
		address_unmap(address);
	}
}
