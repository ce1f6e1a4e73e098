/* SPDX-License-Identifier: GPL-2.0 */
/* From a descriptor of the current task to the file or socket behind it. */

#define TYPE_MASK 0170000
#define TYPE_REGULAR 0100000
#define TYPE_SOCKET 0140000

/* SS_UNCONNECTED of linux/net.h: neither connected nor on the way there. */
#define SOCKET_UNCONNECTED 1

static __always_inline struct file *file_of(u32 descriptor)
{
	struct files_struct *files = READ(CURRENT_TASK, files);
	struct fdtable table;
	struct file *file = 0;
	bpf_probe_read_kernel(&table, sizeof(table), READ(files, fdt));
	if (descriptor >= table.max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), &table.fd[descriptor]);
	return file;
}

static __always_inline u16 type_of(struct file *file)
{
	struct inode *inode = READ(file, f_inode);
	return READ(inode, i_mode) & TYPE_MASK;
}

/* The socket behind a file whose type is TYPE_SOCKET. */
static __always_inline struct sock *socket_of(struct file *file)
{
	struct socket *socket = READ(file, private_data);
	return READ(socket, sk);
}

/* The state of a TCP socket of either family, 0 for any other socket. Family and state have always stood side by side. */
static __always_inline u8 tcp_state_of(struct sock *sk)
{
	struct {
		u16 family;
		u8 state;
	} head;
	_Static_assert(__builtin_offsetof(struct sock_common, skc_state) ==
			       __builtin_offsetof(struct sock_common, skc_family) + 2,
		       "family and state are one read");
	bpf_probe_read_kernel(&head, sizeof(head), &sk->__sk_common.skc_family);
	if (head.family != FAMILY_INET && head.family != FAMILY_INET6)
		return 0;
	return READ(sk, sk_protocol) == PROTOCOL_TCP ? head.state : 0;
}

/* The TCP socket behind a file whose type is TYPE_SOCKET, else 0. */
static __always_inline struct sock *tcp_socket_of(struct file *file)
{
	struct sock *sk = socket_of(file);
	return tcp_state_of(sk) ? sk : 0;
}
