/* SPDX-License-Identifier: GPL-2.0 */
/* queries: the calls of client libraries under way, and the text of a statement without its literals.
 *
 * Programs of uprobes can be preempted by another thread of the target, so what they work on is the thread's own, and counters
 * are added to atomically though each CPU has its own.
 */

#define RECORD_STATEMENT 7
#define QUERY_TEXT 1024
#define QUERY_NAME 64
#define QUERY_STEPS 16384
/* What stands in place of a text's hash where there is no text. */
#define QUERY_UNREADABLE 0
#define QUERY_PREPARED_EARLIER 1

/* What the ring buffer carries: a statement, once. */
struct statement {
	u32 record;
	u32 protocol;
	u64 hash;
	u32 length;
	u32 is_cut;
	u8 bytes[QUERY_TEXT];
};

struct query_call {
	u64 start;
	u64 stack;
	u64 connection;
	u64 name;
	u64 text;
	u64 length;
	u32 kind;
	u32 depth;
	u32 scope;
	u32 tgid;
	struct statement statement;
	u8 raw[QUERY_TEXT];
};
/* By thread: what it called, until that returns. Calls that the library makes itself meanwhile only count `depth`. */
BPF_HASH(query_calls, u32, struct query_call, MAX_QUERY_CALLS);
/* Never written: what a new call begins with is too large for the stack. */
BPF_ARRAY(no_query_call, struct query_call, 1);

/* The automaton's table (readers/statement_automaton.py). */
struct query_steps {
	u32 of[QUERY_STEPS];
};
BPF_ARRAY(query_steps, struct query_steps, 1);

struct query_key {
	u64 hash;
	u32 scope;
	u32 protocol;
};
struct query_counters {
	u64 count;
	u64 errors;
	u64 timed;
	u64 sum_ns;
	u64 max_ns;
	u64 named;
};
BPF_PERCPU_HASH(queries, struct query_key, struct query_counters, MAX_QUERIES);
BPF_HASH(query_histograms, struct query_key, struct histogram, MAX_QUERIES);

/* Prepared statements: by connection and name at PostgreSQL, by the handle alone at MySQL. */
struct query_prepared_key {
	u64 connection;
	u64 name_hash;
	u32 tgid;
	u32 unused;
};
BPF_HASH(query_prepared, struct query_prepared_key, u64, MAX_QUERY_PREPARED);

/* Statements that were sent and whose results come later, in the order of sending; with a pipeline they are several. */
struct query_queue_key {
	u64 connection;
	u32 tgid;
	u32 unused;
};
struct query_queue {
	u64 first;
	u64 next;
};
BPF_HASH(query_queues, struct query_queue_key, struct query_queue, MAX_QUERY_WAITS);
struct query_wait_key {
	u64 connection;
	u64 number;
	u32 tgid;
	u32 unused;
};
struct query_wait {
	u64 start;
	u64 result_ns;
	u64 hash;
	u32 kind;
	u32 scope;
	u32 failed;
	u32 unused;
};
BPF_HASH(query_waits, struct query_wait_key, struct query_wait, MAX_QUERY_WAITS);

static __always_inline u32 query_protocol(u32 kind)
{
	return kind >= QUERY_FIRST_OF_MYSQL;
}

static __always_inline struct query_counters *query_of(const struct query_key *query)
{
	struct query_key key = *query;
	struct query_counters zero = {}, *counters = queries.lookup(&key);
	if (counters)
		return counters;
	queries.insert(&key, &zero);
	return queries.lookup(&key);
}

/* One statement is done. */
static __always_inline void query_done(u32 scope, u32 kind, u64 hash, u64 duration, u32 failed)
{
	u32 protocol = query_protocol(kind), first = 0;
	u32 operation = protocol ? OP_QUERIES_MYSQL : OP_QUERIES_POSTGRESQL;
	struct query_key key = {.hash = hash, .scope = scope, .protocol = protocol};
	struct total *total = total_of(scope, operation);
	count_sample_once(scope, operation, duration);
	if (total)
		__sync_fetch_and_add(&total->errors, failed);
	struct query_counters *query = query_of(&key);
	struct histogram *zero = no_histogram.lookup(&first);
	if (!query || !zero) {
		lose(LOST_QUERIES);
		return;
	}
	__sync_fetch_and_add(&query->count, 1);
	__sync_fetch_and_add(&query->errors, failed);
	__sync_fetch_and_add(&query->timed, 1);
	__sync_fetch_and_add(&query->sum_ns, duration);
	if (duration > query->max_ns)
		query->max_ns = duration;
	histogram_count(query_histograms.lookup_or_try_init(&key, zero), duration);
}

static __always_inline u64 query_hash(const u8 *bytes, u32 size, u64 seed)
{
	u64 hash = seed;
	u32 i = 0;
	do {
		if (i >= size)
			break;
		hash = (hash ^ bytes[i & (QUERY_TEXT - 1)]) * 0x100000001b3ULL;
	} while (++i < QUERY_TEXT);
	FORGET(hash);
	FORGET(i);
	return hash > QUERY_PREPARED_EARLIER ? hash : hash + 2;
}

/* Reads the text of a call as far as there is room; when the call returns, its pages have been read by the library itself. */
static __always_inline u32 query_read(struct query_call *call)
{
	u64 length = call->length;
	if (length == QUERY_UP_TO_ZERO) {
		long size = read_user_str(call->raw, QUERY_TEXT, (const void *)call->text);
		call->statement.is_cut = size == QUERY_TEXT;
		length = size > 0 ? size - 1 : 0;
	} else {
		call->statement.is_cut = length >= QUERY_TEXT;
		length = length < QUERY_TEXT ? length : QUERY_TEXT - 1;
		if (!length || read_user(call->raw, length & (QUERY_TEXT - 1), (const void *)call->text))
			length = 0;
	}
	FORGET(length);
	return length & (QUERY_TEXT - 1);
}

/* Takes literals and comments out of the text. */
static __always_inline u32 query_strip(struct query_call *call, u32 size)
{
	u32 first = 0, state = query_protocol(call->kind) * QUERY_STATES, in = 0, out = 0;
	struct query_steps *steps = query_steps.lookup(&first);
	if (!steps)
		return 0;
	do {
		if (in >= size)
			break;
		u32 step = steps->of[(state << 8 | call->raw[in & (QUERY_TEXT - 1)]) & (QUERY_STEPS - 1)];
		call->statement.bytes[out & (QUERY_TEXT - 1)] = step >> 8;
		call->statement.bytes[(out + 1) & (QUERY_TEXT - 1)] = step >> 16;
		out += step >> 24;
		state = step & 255;
	} while (++in < QUERY_TEXT);
	FORGET(out);
	FORGET(in);
	return out & (QUERY_TEXT - 1);
}

/* The statement of a call by its text, which the tracer is told once. */
static __always_inline u64 query_of_text(struct query_call *call)
{
	u32 size = query_strip(call, query_read(call));
	if (!size)
		return QUERY_UNREADABLE;
	struct statement *statement = &call->statement;
	u64 hash = query_hash(statement->bytes, size, QUERY_HASH_SEED);
	struct query_key key = {.hash = hash, .scope = call->scope, .protocol = query_protocol(call->kind)};
	struct query_counters *query = query_of(&key);
	if (!query || query->named)
		return hash;
	statement->record = RECORD_STATEMENT;
	statement->protocol = key.protocol;
	statement->hash = hash;
	FORGET(size);
	size &= QUERY_TEXT - 1;
	statement->length = size;
	if (ring.ringbuf_output(statement, sizeof(*statement) - QUERY_TEXT + size, BPF_RB_NO_WAKEUP))
		lose(LOST_QUERY_TEXTS);
	else
		query->named = 1;
	return hash;
}
