/* SPDX-License-Identifier: GPL-2.0 */
/* Descriptors by kind: what each is, and how many came to be, ceased to be, or ended with their process. */

#define KIND_FILE 0
#define KIND_SOCKET 1
#define KIND_PIPE 2
#define KIND_OTHER 3
#define KINDS 4

/* What can be reached by a path is a file, whatever its type. All else has a name that is made up (`socket:[4711]`) by a
 * function of its own, unless a path leads to it all the same: a namespace that is mounted. */
static __always_inline u32 kind_of(struct file *file)
{
	struct dentry *entry = READ(file, f_path.dentry);
	struct dentry_operations *operations = READ(entry, d_op);
	if (!operations || !READ(operations, d_dname))
		return KIND_FILE;
	struct inode *inode = READ(file, f_inode);
	u16 type = READ(inode, i_mode) & TYPE_MASK;
	if (type == TYPE_SOCKET)
		return KIND_SOCKET;
	if (type == TYPE_PIPE)
		return KIND_PIPE;
	struct vfsmount *mount = READ(file, f_path.mnt);
	return entry == READ(mount, mnt_root) ? KIND_FILE : KIND_OTHER;
}

/* `operation` is the first of four, which stand in the order of the kinds. */
static __always_inline void count_kind(u32 scope, u32 operation, u32 kind, u64 count)
{
	struct total *total = count ? total_of(scope, operation + (kind & (KINDS - 1))) : 0;
	if (total)
		__sync_fetch_and_add(&total->count, count);
}

struct kinds {
	u32 count[KINDS];
};

static __always_inline void count_kinds(u32 scope, u32 operation, const struct kinds *kinds)
{
	count_kind(scope, operation, KIND_FILE, kinds->count[KIND_FILE]);
	count_kind(scope, operation, KIND_SOCKET, kinds->count[KIND_SOCKET]);
	count_kind(scope, operation, KIND_PIPE, kinds->count[KIND_PIPE]);
	count_kind(scope, operation, KIND_OTHER, kinds->count[KIND_OTHER]);
}

/* By thread: what close_range or execve would close, counted when the call begins and kept until it has succeeded. */
BPF_HASH(pending_closes, u32, struct kinds, MAX_PENDING_CLOSES);

/* A call or an execution has come to its end; if it did what it was to do, what it closed counts. */
static __always_inline void closes_done(u32 scope, u32 tid, int succeeded)
{
	struct kinds *kinds = pending_closes.lookup(&tid);
	if (succeeded && kinds)
		count_kinds(scope, OP_DESCRIPTORS_CLOSED_FILE, kinds);
	else if (succeeded)
		lose(LOST_DESCRIPTORS);
	if (kinds)
		pending_closes.delete(&tid);
}

static __always_inline void descriptor_opened(u32 scope, u32 descriptor)
{
	struct file *file = file_of(descriptor);
	if (!file) {
		lose(LOST_DESCRIPTORS);
		return;
	}
	u32 kind = kind_of(file);
	count_kind(scope, OP_DESCRIPTORS_OPENED_FILE, kind, 1);
	opening_seen(descriptor, kind, file);
}

/* The kind of an open descriptor as a call's beginning remembers it: from 1, 0 for none. */
static __always_inline u32 kind_to_remember(u32 descriptor)
{
	struct file *file = file_of(descriptor);
	return file ? kind_of(file) + 1 : 0;
}

static __always_inline void descriptor_closed(u32 scope, const struct call *call)
{
	if (call && call->kind)
		count_kind(scope, OP_DESCRIPTORS_CLOSED_FILE, call->kind - 1, 1);
	else
		lose(LOST_DESCRIPTORS);
}

/* Calls that other topics count too: what they did to descriptors. */
static __always_inline void descriptors_of_others(const struct finished *finished, const struct done *done)
{
	if (!tracing())
		return;
	switch (finished->class) {
	case CLASS_OPEN:
	case CLASS_OPENAT:
	case CLASS_ACCEPT:
		if (done->result >= 0)
			descriptor_opened(finished->scope, done->result);
		return;
	case CLASS_CLOSE:
		/* Whatever else it says, the descriptor is gone. */
		if (done->result != -ERROR_BADF)
			descriptor_closed(finished->scope, finished->call);
		return;
	case CLASS_EXEC:
	case CLASS_EXECAT:
		if (done->result < 0)
			closes_done(finished->scope, bpf_get_current_pid_tgid(), 0);
	}
}
