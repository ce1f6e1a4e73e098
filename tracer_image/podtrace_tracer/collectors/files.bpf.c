/* SPDX-License-Identifier: GPL-2.0 */
/* files: operations on regular files, and what became of their names. */

struct file_counters {
	u64 operations;
	u64 bytes;
	u64 slow;
	u64 total_ns;
	u64 opened;
	u64 named;
};
BPF_HASH(files, struct file_key, struct file_counters, MAX_FILES);

struct failed_open {
	u32 scope;
	char path[252];
};
BPF_HASH(failed_opens, struct failed_open, u64, MAX_FAILED_OPENS);
BPF_PERCPU_ARRAY(failed_open_scratch, struct failed_open, 1);

/* An inode alone would not do: it is reused, and a rename keeps it. A file that was removed is another one than before:
 * its path is marked. The mount's address is even, which leaves a bit for that. */
static __always_inline void file_key_of(struct file *file, u32 scope, struct file_key *key)
{
	struct dentry *entry = READ(file, f_path.dentry);
	key->dentry = (u64)entry;
	key->mount = (u64)READ(file, f_path.mnt) + !READ(entry, d_hash.pprev);
	key->parent = (u64)READ(entry, d_parent);
	key->name_hash = READ(entry, d_name.hash_len);
	key->scope = scope;
}

/* Leaves the path to the program that follows the end of the system call. */
static __always_inline void path_wanted(const struct file_key *key, struct file *file)
{
	struct tail_work *work = current_tail_work();
	if (!work)
		return;
	u32 place = work->paths & 1;
	work->keys[place] = *key;
	work->files[place] = (u64)file;
	work->paths++;
}

/* One path; the other one, if there are two, by calling itself. */
CALL_PROBE(paths)
{
	struct tail_work *work = current_tail_work();
	if (!work || !work->paths)
		return 0;
	work->paths--;
	u32 place = work->paths & 1;
	struct file_key key = work->keys[place];
	struct file_counters *counters = files.lookup(&key);
	if (counters && path_send(&key, (struct file *)work->files[place]))
		counters->named = 1;
	if (work->paths)
		tails.call(ctx, TAIL_PATHS);
	return 0;
}

static __always_inline struct file_counters *file_counters_of(const struct file_key *key, struct file *file)
{
	struct file_key copy = *key;
	struct file_counters zero = {};
	struct file_counters *counters = files.lookup_or_try_init(&copy, &zero);
	if (!counters) {
		lose(LOST_FILES);
		return 0;
	}
	if (!counters->named)
		path_wanted(key, file);
	return counters;
}

static __always_inline void file_event(u32 operation, const struct process *process, const struct done *done,
				       const struct file_key *key, u32 slow)
{
	struct event *event = event_of_call(operation, key->scope, process, done);
	if (!event)
		return;
	event->result = done->result;
	event->slow = slow;
	event->file = *key;
	event_send(event);
}

/* A read, write or fsync of a regular file that has returned. */
static __always_inline void file_done(u32 operation, u32 scope, struct process *process, struct file *file,
				      const struct done *done)
{
	enum outcome outcome = count_done(scope, operation, done);
	if (outcome == OUTCOME_NONE)
		return;
	count_for_process(process);
	struct file_key key = {};
	file_key_of(file, scope, &key);
	u64 duration = done->start ? done->now - done->start : 0;
	u32 slow = done->threshold != NO_THRESHOLD && duration > done->threshold;
	struct file_counters *counters = file_counters_of(&key, file);
	if (counters) {
		__sync_fetch_and_add(&counters->operations, 1);
		__sync_fetch_and_add(&counters->bytes, done->bytes);
		__sync_fetch_and_add(&counters->total_ns, duration);
		if (slow)
			__sync_fetch_and_add(&counters->slow, 1);
	}
	struct slow_target *target = slow_seen(operation, scope, done, done->threshold);
	if (target)
		target->file = key;
	if (slow || outcome == OUTCOME_ERROR)
		file_event(operation, process, done, &key, slow);
}

static __always_inline void open_failed(u32 scope, const char *name)
{
	u32 first = 0;
	u64 zero = 0;
	struct failed_open *failed = failed_open_scratch.lookup(&first);
	if (!failed)
		return;
	__builtin_memset(failed, 0, sizeof(*failed));
	failed->scope = scope;
	read_user_str(failed->path, sizeof(failed->path), name);
	count_or_lose(failed_opens.lookup_or_try_init(failed, &zero), LOST_FAILED_OPENS);
}

/* A call that names a path (unlink, rename, open) and failed. */
static __always_inline void name_event(u32 operation, u32 scope, const struct process *process, const struct done *done,
				       const char *name)
{
	struct event *event = event_of_call(operation, scope, process, done);
	if (!event)
		return;
	read_user_str(event->text, sizeof(event->text), name);
	event_send(event);
}

static __always_inline void open_path(u32 scope, const struct done *done, const char *name)
{
	if (done->result < 0) {
		open_failed(scope, name);
		return;
	}
	struct file *file = file_of(done->result);
	if (!file)
		return;
	struct file_key key = {};
	file_key_of(file, scope, &key);
	struct file_counters *counters = file_counters_of(&key, file);
	if (counters)
		__sync_fetch_and_add(&counters->opened, 1);
}
