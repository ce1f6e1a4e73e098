/* SPDX-License-Identifier: GPL-2.0 */
/* dns: which calls carry messages, what the messages ask and answer. */

/* Is it a call on port 53? It is told from the socket, or where that is not connected from the address beside the data; the
 * messages are left to a program that follows the end of the call. */
static __always_inline void dns_look(const struct finished *finished, struct sock *sk, u32 protocol, u32 writes,
				     const struct done *done)
{
	u16 remote = READ(sk, __sk_common.skc_dport), asked = 0;
	if (done->result <= 0 || (remote ? remote != DNS_PORT : protocol != PROTOCOL_UDP))
		return;
	u32 local = READ(sk, __sk_common.skc_num);
	u64 *asked_ns = remote ? 0 : dns_ports.lookup(&local);
	if (!remote && writes) {
		const char *name = destination_of_call(finished->regs, shape_of_call(finished->regs), 0);
		read_user(&asked, sizeof(asked), name + 2);
		if (asked != DNS_PORT)
			return;
		if (asked_ns)
			*asked_ns = done->now;
	} else if (!remote && (!asked_ns || !*asked_ns || done->now - *asked_ns > DNS_TIMEOUT_NS)) {
		return;
	}
	struct dns_work *dns = current_dns_work();
	struct tail_work *work = current_tail_work();
	if (!dns || !work)
		return;
	work->dns = 1;
	dns->start = done->start ? done->start : done->now;
	dns->now = done->now;
	dns->file = (u64)finished->file;
	dns->sk = (u64)sk;
	dns->scope = finished->scope;
	dns->writes = writes;
	dns->is_stream = protocol == PROTOCOL_TCP;
	dns->is_connected = remote != 0;
	dns->bytes_left = done->bytes;
	dns->messages = done->messages ? done->messages : 1;
	dns->message = 0;
	dns->skip = 0;
}

/* Copies the beginning of the message whose turn it is out of the program's memory: four pieces, a length and a message
 * twice, are what glibc writes at once. */
static __always_inline void dns_gather(struct pt_regs *regs, struct dns_work *dns)
{
	u32 shape = shape_of_call(regs), copied = 0, i = 0;
	u64 vector = 0, pieces = 1, skip = dns->skip, left = dns->bytes_left;
	const char *data = (const char *)SYSCALL_ARG1(regs);
	if (shape == SHAPE_VECTOR) {
		vector = (u64)data;
		pieces = SYSCALL_ARG2(regs);
	} else if (shape == SHAPE_HEADER || shape == SHAPE_HEADERS) {
		u32 length = 0;
		data += dns->message * MESSAGES_DISTANCE;
		read_user(&vector, sizeof(vector), data + MESSAGE_VECTOR);
		read_user(&pieces, sizeof(pieces), data + MESSAGE_PIECES);
		if (shape == SHAPE_HEADERS) {
			read_user(&length, sizeof(length), data + MESSAGES_LENGTH);
			left = length;
		}
	}
	if (!shape)
		left = 0; /* sendfile and splice carry no message of the program's own */
	if (left > DNS_ANSWER + 2)
		left = DNS_ANSWER + 2;
	do {
		struct piece piece = {.base = (u64)data, .size = skip + left};
		if (vector)
			read_user(&piece, sizeof(piece), (const char *)vector + i * sizeof(piece));
		u64 passed = skip < piece.size ? skip : piece.size, size = piece.size - passed;
		size = size < left ? size : left;
		FORGET(size);
		FORGET(copied);
		size &= 1023;
		copied &= 1023;
		if (size && read_user(&dns->bytes[copied], size, (const char *)piece.base + passed))
			lose(LOST_DNS_MESSAGES);
		copied += size;
		left -= size;
		skip -= passed;
		FORGET(left);
		FORGET(skip);
	} while (++i < 4 && i < pieces && left);
	FORGET(copied);
	dns->size = copied;
}

/* Where the message begins behind its length, which over TCP may stand in front or have been read apart: one question
 * is all that a query asks, and no flags look like that. */
static __always_inline int dns_begin(struct dns_work *dns)
{
	if (dns_number(dns, 4) == 1)
		return 0;
	return dns->is_stream && dns_number(dns, 6) == 1 ? 2 : -1;
}

/* Reads the question of the message; 0 if it is none. Letters are alike in both cases: some resolvers mix them. */
static __always_inline int dns_question(struct dns_work *dns)
{
	int begin = dns->size > DNS_HEADER ? dns_begin(dns) : -1;
	if (begin < 0)
		return 0;
	u64 hash = DNS_HASH_SEED;
	u32 label = 0, i = 0, place = begin + DNS_HEADER, ended = 0;
	do {
		u8 byte = dns->bytes[(place + i) & 1023];
		if (!label) {
			if (!byte || byte > 63) {
				ended = !byte;
				break;
			}
			label = byte;
		} else {
			label--;
			byte += byte >= 'A' && byte <= 'Z' ? 'a' - 'A' : 0;
		}
		hash = (hash ^ byte) * 0x100000001b3ULL;
	} while (++i < DNS_NAME);
	FORGET(hash);
	FORGET(i);
	FORGET(ended);
	dns->flags = dns_number(dns, begin + 2);
	dns->name_at = place;
	dns->name_size = i & 255;
	struct inode *inode = READ((struct file *)dns->file, f_inode);
	dns->key.socket = READ(inode, i_ino);
	dns->key.name_hash = hash;
	dns->key.id = dns_number(dns, begin);
	dns->key.type = dns_number(dns, place + i + 1);
	dns->key.unused = 0;
	/* Behind the name stand type and class. Other operations than a query are no lookup. */
	return ended && place + i + 5 <= dns->size && !(dns->flags >> 11 & 15);
}

/* The next message of the same call, if there is one. Over TCP each has its length in front of it. */
static __always_inline int dns_has_next(struct dns_work *dns)
{
	if (!dns->is_stream)
		return ++dns->message < dns->messages;
	u64 length = dns->name_at == DNS_HEADER + 2 ? dns_number(dns, 0) + 2 : 0;
	if (!length || length >= dns->bytes_left)
		return 0;
	dns->skip += length;
	dns->bytes_left -= length;
	return 1;
}

CALL_PROBE(dns)
{
	struct dns_work *dns = current_dns_work();
	if (!dns)
		return 0;
	dns->name_at = 0;
	dns_gather(CALL_REGISTERS(ctx), dns);
	if (dns_question(dns)) {
		u32 is_answer = dns->flags >> 15 & 1;
		if (dns->writes && !is_answer)
			dns_asked(CALL_REGISTERS(ctx), dns);
		else if (!dns->writes && is_answer)
			dns_answered(dns);
	}
	if (dns_has_next(dns)) {
		tails.call(ctx, TAIL_DNS);
		lose(LOST_DNS_MESSAGES); /* there is a limit to programs behind programs */
	}
	struct tail_work *work = current_tail_work();
	if (work) {
		work->dns = 0;
		go_on(ctx, work);
	}
	return 0;
}
