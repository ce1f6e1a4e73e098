/* SPDX-License-Identifier: GPL-2.0 */
/* Exact totals per scope and operation, in tables that cannot fill. */

struct total {
	u64 count;
	u64 errors;
	u64 would_block;
	u64 interrupted;
	u64 bytes;
	u64 messages;
	u64 timed;
	u64 slow;
	u64 sum_ns;
	u64 max_ns;
	u64 max_bytes;
};
/* Per CPU, because a shared maximum would race. */
BPF_PERCPU_ARRAY(totals, struct total, MAX_SCOPES *OPERATIONS);

struct error_key {
	u32 scope;
	u16 operation;
	u16 number;
};
BPF_HASH(errors, struct error_key, u64, MAX_ERRORS);

static __always_inline struct total *total_of(u32 scope, u32 operation)
{
	u32 index = scope * OPERATIONS + operation;
	return totals.lookup(&index);
}

static __always_inline void count_error(u32 scope, u32 operation, u32 number)
{
	struct error_key key = {.scope = scope, .operation = operation, .number = number};
	u64 zero = 0;
	count_or_lose(errors.lookup_or_try_init(&key, &zero), LOST_ERRORS);
}

/* What one operation did. `start` is 0 when its beginning was not seen. */
struct done {
	s64 result;
	u64 bytes;
	u64 messages;
	u64 start;
	u64 now;
	u64 threshold;
};

enum outcome { OUTCOME_NONE, OUTCOME_OK, OUTCOME_ERROR };

static __always_inline void count_duration(u32 scope, u32 operation, struct total *total, u64 duration, u64 threshold)
{
	total->timed++;
	total->sum_ns += duration;
	if (duration > total->max_ns)
		total->max_ns = duration;
	if (threshold != NO_THRESHOLD && duration > threshold)
		total->slow++;
	histogram_add(scope, operation, duration);
}

/* Counts a duration that is no system call's own. Only one program may count an operation this way, too. */
static __always_inline void count_sample(u32 scope, u32 operation, u64 duration, u64 threshold)
{
	struct total *total = total_of(scope, operation);
	if (!total)
		return;
	total->count++;
	count_duration(scope, operation, total, duration, threshold);
}

/* Counts a finished system call by its result. Only one program may count an operation this way: it does not lock. */
static __always_inline enum outcome count_done(u32 scope, u32 operation, const struct done *done)
{
	struct total *total = total_of(scope, operation);
	if (!total || done->result == -ERROR_BADF)
		return OUTCOME_NONE;
	if (done->result < 0) {
		if (done->result == -ERROR_AGAIN) {
			total->would_block++;
			return OUTCOME_NONE;
		}
		if (done->result <= -ERROR_RESTART_FIRST && done->result >= -ERROR_RESTART_LAST) {
			total->interrupted++;
			return OUTCOME_NONE;
		}
		total->errors++;
		count_error(scope, operation, -done->result);
	}
	total->count++;
	total->bytes += done->bytes;
	total->messages += done->messages;
	if (done->bytes > total->max_bytes)
		total->max_bytes = done->bytes;
	if (done->start)
		count_duration(scope, operation, total, done->now - done->start, done->threshold);
	return done->result < 0 ? OUTCOME_ERROR : OUTCOME_OK;
}

/* Counts what several programs may count at once, one of them in an interrupt of the other. */
static __always_inline void count_once(u32 scope, u32 operation)
{
	struct total *total = total_of(scope, operation);
	if (total)
		__sync_fetch_and_add(&total->count, 1);
}

/* The same for a duration. Whatever interrupts the others would have to bring a larger one between the comparison and the store
 * for the maximum to be wrong. */
static __always_inline void count_sample_once(u32 scope, u32 operation, u64 duration)
{
	struct total *total = total_of(scope, operation);
	if (!total)
		return;
	__sync_fetch_and_add(&total->count, 1);
	__sync_fetch_and_add(&total->timed, 1);
	__sync_fetch_and_add(&total->sum_ns, duration);
	if (duration > total->max_ns)
		total->max_ns = duration;
	histogram_add(scope, operation, duration);
}

static __always_inline void count_for_process(struct process *process)
{
	if (process)
		__sync_fetch_and_add(&process->events, 1);
	else
		lose(LOST_PROCESSES);
}
