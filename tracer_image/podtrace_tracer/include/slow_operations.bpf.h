/* SPDX-License-Identifier: GPL-2.0 */
/* Operations above their threshold, and waits off the CPU that lasted, by their stacks. */

struct stack_key {
	struct image image;
	u64 stack;
	u32 operation;
	u32 unused;
};

/* `target` is what the slowest of them was about. */
struct stack_counters {
	u64 count;
	u64 total_ns;
	u64 max_ns;
	u64 others; /* were about another target than the one before them */
	struct slow_target target;
};
/* Per CPU, because a shared maximum would race. */
BPF_PERCPU_HASH(stack_counts, struct stack_key, struct stack_counters, MAX_STACK_COUNTS);

struct stack_durations {
	u32 buckets[HISTOGRAM_BUCKETS];
};
BPF_HASH(stack_durations, struct stack_key, struct stack_durations, MAX_STACK_COUNTS);
BPF_ARRAY(no_durations, struct stack_durations, 1);

/* `pid` and `node_pid` are the process's; 0 where it is not known. */
static __always_inline struct stack_counters *stack_counters_of(struct stack_key *key, u32 node_pid, u32 pid)
{
	struct stack_counters zero = {}, *counters = stack_counts.lookup(key);
	if (counters)
		return counters;
	u32 first = 0;
	struct stack_durations *none = no_durations.lookup(&first);
	stack_counts.insert(key, &zero);
	counters = stack_counts.lookup(key);
	if (counters && none)
		stack_durations.insert(key, none);
	if (counters && pid)
		image_send(&key->image, node_pid, pid);
	return counters;
}

static __always_inline int is_same_target(const struct slow_target *one, const struct slow_target *other)
{
	u64 difference = (one->file.dentry ^ other->file.dentry) | (one->file.name_hash ^ other->file.name_hash) |
			 (one->file.parent ^ other->file.parent) | (one->file.mount ^ other->file.mount);
	difference |= (one->family ^ other->family) | (one->port ^ other->port);
	difference |= (one->address[0] ^ other->address[0]) | (one->address[1] ^ other->address[1]);
	return !difference;
}

static __always_inline void slow_counted(struct stack_key *key, u32 node_pid, u32 pid,
					 const struct slow_operation *slow)
{
	struct stack_counters *counters = stack_counters_of(key, node_pid, pid);
	if (!counters) {
		lose(LOST_STACK_COUNTS);
		return;
	}
	if (counters->count && !is_same_target(&counters->target, &slow->target))
		counters->others++;
	counters->count++;
	counters->total_ns += slow->duration_ns;
	if (slow->duration_ns > counters->max_ns) {
		counters->max_ns = slow->duration_ns;
		counters->target = slow->target;
	}
	struct stack_durations *durations = stack_durations.lookup(key);
	u64 bucket = histogram_bucket(slow->duration_ns);
	asm volatile("" : "+r"(bucket));
	if (durations && bucket < HISTOGRAM_BUCKETS)
		__sync_fetch_and_add(&durations->buckets[bucket], 1);
}
