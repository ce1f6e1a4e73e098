/* SPDX-License-Identifier: GPL-2.0 */
/* queries: calls into libraries of database clients, from their beginning to the return that tells how they ended. */

/* A program for places in files that processes map. Named so that bcc does not attach it by itself. */
#define USER_PROBE(name) int on_##name(struct pt_regs *ctx)

#ifdef __aarch64__
#define CALLED_WITH(ctx, number) ((ctx)->regs[number])
#define RETURNED(ctx) ((ctx)->regs[0])
#else
#define CALLED_WITH(ctx, number) ((number) == 0 ? (ctx)->di : (number) == 1 ? (ctx)->si : (ctx)->dx)
#define RETURNED(ctx) ((ctx)->ax)
#endif
#define STACK_OF(ctx) ((ctx)->sp)

/* Where the kernel lets one program hang at many places, this tells them apart; elsewhere the program is loaded for each kind. */
static u64 (*attach_cookie)(void *) = (void *)174;

/* struct pg_result of libpq-int.h: its status stands there in every version since 8.4 (the tracer checks it). */
#define RESULT_STATUS 40
#define STATUS_BAD_RESPONSE 5
#define STATUS_FATAL_ERROR 7
#define STATUS_PIPELINE_SYNC 10
#define STATUS_PIPELINE_ABORTED 11

static __always_inline u32 query_status(u64 result)
{
	u32 status = 0;
	read_user(&status, sizeof(status), (const void *)(result + RESULT_STATUS));
	return status;
}

static __always_inline u32 query_result_failed(u64 result)
{
	u32 status = result ? query_status(result) : STATUS_FATAL_ERROR;
	return status == STATUS_BAD_RESPONSE || status == STATUS_FATAL_ERROR || status == STATUS_PIPELINE_ABORTED;
}

/* Did a call of this kind fail, by what it returned? */
static __always_inline u32 query_call_failed(u32 kind, u64 returned)
{
	if (kind <= QUERY_LAST_WITH_RESULT)
		return query_result_failed(returned);
	if (kind < QUERY_FIRST_OF_MYSQL)
		return !(u32)returned;
	return kind == QUERY_MYSQL_READ ? (u8)returned != 0 : (u32)returned != 0;
}

static __always_inline void query_prepared_of(struct query_call *call, struct query_prepared_key *key)
{
	key->connection = call->connection;
	key->tgid = call->tgid;
	if (!call->name)
		return;
	long size = read_user_str(call->raw, QUERY_NAME, (const void *)call->name);
	u32 length = size > 0 ? size - 1 : 0;
	FORGET(length);
	key->name_hash = query_hash(call->raw, length & (QUERY_NAME - 1), 0);
}

/* The statement that a call is about. */
static __always_inline u64 query_of_call(struct query_call *call)
{
	if (call->text)
		return query_of_text(call);
	if (call->kind == QUERY_SEND_OTHER)
		return QUERY_UNREADABLE;
	struct query_prepared_key key = {};
	query_prepared_of(call, &key);
	u64 *hash = query_prepared.lookup(&key);
	return hash ? *hash : QUERY_PREPARED_EARLIER;
}

static __always_inline void query_prepared_as(struct query_call *call, u64 hash)
{
	struct query_prepared_key key = {};
	query_prepared_of(call, &key);
	if (query_prepared.update(&key, &hash))
		lose(LOST_QUERY_PREPARED);
}

static __always_inline int query_prepares(u32 kind)
{
	return kind == QUERY_PREPARE || kind == QUERY_SEND_PREPARE || kind == QUERY_MYSQL_PREPARE;
}

/* A preparation that succeeds is none of the statements; one that fails is the failure of the one that was to be. */
static __always_inline void query_ended(u32 scope, u32 kind, u64 hash, u64 duration, u32 failed)
{
	if (query_prepares(kind) && !failed) {
		count_once(scope, OP_QUERIES_PREPARE);
		return;
	}
	query_done(scope, kind, hash, duration, failed);
}

static __always_inline void query_sent(struct query_call *call, u64 hash)
{
	struct query_queue_key key = {.connection = call->connection, .tgid = call->tgid};
	struct query_queue none = {}, *queue = query_queues.lookup_or_try_init(&key, &none);
	struct query_wait wait = {.start = call->start, .hash = hash, .kind = call->kind, .scope = call->scope};
	if (queue) {
		struct query_wait_key place = {
			.connection = call->connection, .number = queue->next++, .tgid = call->tgid};
		if (!query_waits.update(&place, &wait))
			return;
	}
	lose(LOST_QUERY_WAITS);
}

/* A result was asked for. libpq gives the results of one statement after the other, each statement's closed by a null. */
static __always_inline void query_resulted(struct query_call *call, u64 returned, u64 now)
{
	struct query_queue_key key = {.connection = call->connection, .tgid = call->tgid};
	struct query_queue *queue = query_queues.lookup(&key);
	if (!queue)
		return;
	struct query_wait_key place = {.connection = call->connection, .number = queue->first, .tgid = call->tgid};
	struct query_wait *known = query_waits.lookup(&place);
	u32 is_last = call->kind == QUERY_MYSQL_READ;
	if (known && (returned || is_last)) {
		if (!is_last && query_status(returned) == STATUS_PIPELINE_SYNC)
			return;
		known->result_ns = now;
		known->failed |= query_call_failed(call->kind, returned);
	}
	if ((returned && !is_last) || (known && !known->result_ns))
		return;
	struct query_wait wait = {};
	if (known)
		wait = *known;
	query_waits.delete(&place);
	if (++queue->first >= queue->next)
		query_queues.delete(&key);
	if (wait.result_ns && wait.kind != QUERY_SEND_OTHER)
		query_ended(wait.scope, wait.kind, wait.hash, wait.result_ns - wait.start, wait.failed);
}

/* What stands in which argument: the name of a prepared statement, the text, the text's length. */
static __always_inline void query_arguments(struct pt_regs *ctx, struct query_call *call)
{
	u32 kind = call->kind;
	call->connection = CALLED_WITH(ctx, 0);
	call->length = QUERY_UP_TO_ZERO;
	if (kind == QUERY_EXECUTE || kind == QUERY_SEND || kind >= QUERY_MYSQL_TEXT)
		call->text = CALLED_WITH(ctx, 1);
	if (kind >= QUERY_MYSQL_SIZED)
		call->length = CALLED_WITH(ctx, 2);
	if (kind == QUERY_PREPARE || kind == QUERY_SEND_PREPARE)
		call->text = CALLED_WITH(ctx, 2);
	if (kind == QUERY_PREPARE || kind == QUERY_SEND_PREPARE || kind == QUERY_EXECUTE_PREPARED ||
	    kind == QUERY_SEND_PREPARED)
		call->name = CALLED_WITH(ctx, 1);
}

USER_PROBE(query_call)
{
	u64 kind = QUERY_KIND;
	if (!tracing() || !current_in_scope())
		return 0;
	if (!kind)
		kind = attach_cookie(ctx);
	u64 ids = bpf_get_current_pid_tgid();
	u32 tid = ids, first = 0;
	if (kind == QUERY_CLOSE) {
		struct query_queue_key key = {.connection = CALLED_WITH(ctx, 0), .tgid = ids >> 32};
		query_queues.delete(&key);
		return 0;
	}
	struct query_call *call = query_calls.lookup(&tid);
	if (call && STACK_OF(ctx) < call->stack) {
		call->depth++;
		return 0;
	}
	/* One that is not below on the stack has been left by a jump. */
	if (call)
		query_calls.delete(&tid);
	struct query_call *none = no_query_call.lookup(&first);
	struct process *process = current_process();
	call = none ? query_calls.lookup_or_try_init(&tid, none) : 0;
	if (!call || !process) {
		lose(LOST_QUERY_CALLS);
		return 0;
	}
	call->kind = kind;
	call->stack = STACK_OF(ctx);
	call->scope = process->scope;
	call->tgid = ids >> 32;
	query_arguments(ctx, call);
	call->start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void query_returned(struct query_call *call, u64 returned, u64 now)
{
	u32 kind = call->kind;
	if (kind == QUERY_RESULT || kind == QUERY_MYSQL_READ) {
		query_resulted(call, returned, now);
		return;
	}
	u64 hash = query_of_call(call);
	u32 failed = query_call_failed(kind, returned);
	if (query_prepares(kind) && !failed)
		query_prepared_as(call, hash);
	u32 is_sent = (kind >= QUERY_SEND && kind <= QUERY_SEND_OTHER) || kind == QUERY_MYSQL_SEND;
	if (is_sent && !failed)
		query_sent(call, hash);
	else if (kind != QUERY_SEND_OTHER)
		query_ended(call->scope, kind, hash, now - call->start, failed);
}

USER_PROBE(query_return)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct query_call *call = query_calls.lookup(&tid);
	if (!call)
		return 0;
	if (call->depth) {
		call->depth--;
		return 0;
	}
	if (tracing())
		query_returned(call, RETURNED(ctx), bpf_ktime_get_ns());
	query_calls.delete(&tid);
	return 0;
}
