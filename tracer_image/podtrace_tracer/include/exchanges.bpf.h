/* SPDX-License-Identifier: GPL-2.0 */
/* connections: how many requests a connection carried, told from the order of its sends and receives. */

#if defined(TOPIC_CONNECTIONS) && defined(TOPIC_TCP)
#define MOST_EXCHANGES 2
/* By local port the socket there of which no more is to be known: most calls are on such a one, and to look here costs less
 * than to look among the sockets. One may push another out, which is then looked up again. */
BPF_ARRAY(settled_sockets, u64, 65536);

static __always_inline u64 *settled_place(struct sock *sk)
{
	u32 port = READ(sk, __sk_common.skc_num);
	return settled_sockets.lookup(&port);
}

/* Another socket can have been where this one is now. */
static __always_inline void socket_unsettled(struct sock *sk)
{
	u64 *settled = settled_place(sk);
	if (settled)
		*settled = 0;
}

/* Does what a call sends begin as TLS does: with a handshake of version 3.x? */
static __always_inline u32 begins_tls(struct pt_regs *regs)
{
	u32 shape = shape_of_call(regs);
	u64 data = SYSCALL_ARG1(regs);
	u8 bytes[2] = {};
	/* Keeps clang from making one load of this and of what the helper puts on the stack. */
	asm volatile("" : "+r"(data));
	if (!shape)
		return 0;
	if (shape == SHAPE_HEADER || shape == SHAPE_HEADERS)
		read_user(&data, sizeof(data), (const char *)data + MESSAGE_VECTOR);
	if (shape != SHAPE_BUFFER && shape != SHAPE_ADDRESSED)
		read_user(&data, sizeof(data), (const char *)data);
	read_user(bytes, sizeof(bytes), (const char *)data);
	return bytes[0] == 0x16 && bytes[1] == 3;
}

/* Data went through a TCP socket. */
static __always_inline void exchange_seen(const struct finished *finished, struct sock *sk, u32 writes)
{
	u64 key = (u64)sk, *settled = settled_place(sk);
	if (!settled || *settled == key)
		return;
	struct owned_socket *owned = sockets.lookup(&key);
	if (!owned || !owned->handshake_ns || owned->exchanges > MOST_EXCHANGES) {
		*settled = key;
	} else if (writes) {
		if (!owned->sends)
			owned->is_tls = begins_tls(finished->regs);
		owned->sends++;
		owned->awaits = 1;
	} else if (owned->awaits) {
		owned->awaits = 0;
		owned->exchanges++;
	}
}
#endif
