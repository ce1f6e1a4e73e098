/* SPDX-License-Identifier: GPL-2.0 */
/* A file's path as its mount namespace sees it: the names from the file up to the root, leaf first. */

#define PATH_BYTES 1024
#define PATH_NAME 256
#define PATH_STEPS 64

/* PATH_CUT stays set until the walk has come to the root. */
#define PATH_DELETED 1
#define PATH_INTERNAL 2
#define PATH_CUT 4

struct path_record {
	u32 record;
	u32 flags;
	struct file_key file;
	u64 length;
	char names[PATH_BYTES + PATH_NAME];
};
BPF_PERCPU_ARRAY(path_scratch, struct path_record, 1);

/* Where the walk stands: a directory entry and the mount that it was reached through. */
struct path_walk {
	struct dentry *entry;
	struct mount *mount;
	u64 length;
	u32 flags;
};

/* Nothing is above: the path is whole. Mounts of the kernel's own (memfd, SysV shared memory) are in no mount namespace. */
static __always_inline void path_ends(struct path_walk *walk)
{
	u64 space = (u64)READ(walk->mount, mnt_ns);
	if (!space || space >= (u64)-4095)
		walk->flags |= PATH_INTERNAL;
	walk->flags &= ~PATH_CUT;
}

/* One step towards the root; 0 when there is none left. */
static __always_inline int path_step(struct path_walk *walk, struct path_record *path)
{
	struct dentry *root = READ(&walk->mount->mnt, mnt_root);
	if (walk->entry == root) {
		struct mount *above = READ(walk->mount, mnt_parent);
		if (above == walk->mount) {
			path_ends(walk);
			return 0;
		}
		walk->entry = READ(walk->mount, mnt_mountpoint);
		walk->mount = above;
		return 1;
	}
	struct dentry *parent = READ(walk->entry, d_parent);
	u64 offset = walk->length;
	if (offset >= PATH_BYTES)
		return 0;
	const unsigned char *name = READ(walk->entry, d_name.name);
	long size = bpf_probe_read_kernel_str(&path->names[offset & (PATH_BYTES - 1)], PATH_NAME, name);
	if (size <= 0)
		return 0;
	walk->length = offset + size;
	if (parent == walk->entry) {
		/* A memfd has a name and is in no directory. */
		path_ends(walk);
		return 0;
	}
	walk->entry = parent;
	return 1;
}

/* Sends the path of a file to the tracer; 0 if the ring was full (the next operation on the file tries again). */
static __always_inline int path_send(const struct file_key *key, struct file *file)
{
	u32 first = 0;
	struct path_record *path = path_scratch.lookup(&first);
	if (!path)
		return 0;
	struct vfsmount *mount = READ(file, f_path.mnt);
	struct path_walk walk = {.entry = READ(file, f_path.dentry), .flags = PATH_CUT};
	walk.mount = (struct mount *)((char *)mount - __builtin_offsetof(struct mount, mnt));
	if (!READ(walk.entry, d_hash.pprev))
		walk.flags |= PATH_DELETED;
	for (u32 i = 0; i < PATH_STEPS; i++)
		if (!path_step(&walk, path))
			break;
	FORGET(walk);
	path->record = RECORD_PATH;
	path->file = *key;
	path->flags = walk.flags;
	path->length = walk.length;
	u64 size = walk.length < PATH_BYTES + PATH_NAME ? walk.length : PATH_BYTES + PATH_NAME;
	size += __builtin_offsetof(struct path_record, names);
	if (ring.ringbuf_output(path, size, BPF_RB_NO_WAKEUP)) {
		lose(LOST_PATHS);
		return 0;
	}
	return 1;
}
