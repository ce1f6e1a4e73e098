/* SPDX-License-Identifier: GPL-2.0 */
/* From a descriptor of the current task to the file or socket behind it. */

#define TYPE_MASK 0170000
#define TYPE_REGULAR 0100000
#define TYPE_PIPE 0010000
#define TYPE_SOCKET 0140000

/* SS_UNCONNECTED of linux/net.h: neither connected nor on the way there. */
#define SOCKET_UNCONNECTED 1

static __always_inline struct file *file_of(u32 descriptor)
{
	struct files_struct *files = READ(CURRENT_TASK, files);
	struct fdtable *table = READ(files, fdt);
	if (descriptor >= READ(table, max_fds))
		return 0;
	return READ_POINTER(READ(table, fd) + descriptor);
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

/* The protocol of a socket of either internet family, 0 for any other socket. */
static __always_inline u32 internet_protocol_of(struct sock *sk)
{
	u16 family = READ(sk, __sk_common.skc_family);
	return family == FAMILY_INET || family == FAMILY_INET6 ? READ(sk, sk_protocol) : 0;
}

/* The TCP socket behind a file whose type is TYPE_SOCKET, else 0. */
static __always_inline struct sock *tcp_socket_of(struct file *file)
{
	struct sock *sk = socket_of(file);
	return internet_protocol_of(sk) == PROTOCOL_TCP ? sk : 0;
}
