/* SPDX-License-Identifier: GPL-2.0 */
/* From a descriptor of the current task to the file or socket behind it. */

#define TYPE_MASK 0170000
#define TYPE_REGULAR 0100000
#define TYPE_SOCKET 0140000

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

/* The TCP socket behind a file whose type is TYPE_SOCKET, else 0. */
static __always_inline struct sock *tcp_socket_of(struct file *file)
{
	struct socket *socket = READ(file, private_data);
	struct sock *sk = READ(socket, sk);
	u16 family = READ(sk, __sk_common.skc_family);
	if (family != FAMILY_INET && family != FAMILY_INET6)
		return 0;
	return READ(sk, sk_protocol) == PROTOCOL_TCP ? sk : 0;
}
