/* SPDX-License-Identifier: GPL-2.0 */
/* connections: attempts from SYN_SENT to ESTABLISHED or failure, by the socket's own states, and accepts. */

struct target_key {
	u32 scope;
	struct address remote;
};
struct target_counters {
	u64 attempts;
	u64 failed;
	u64 established;
	u64 handshake_ns;
	u64 max_ns;
	u64 one_shots;
	u64 one_shot_ns;
};
BPF_PERCPU_HASH(targets, struct target_key, struct target_counters, MAX_TARGETS);

#define ERROR_IN_PROGRESS 115
#define ERROR_ALREADY 114
#define ERROR_IS_CONNECTED 106
#define FAMILY_NONE 0

static __always_inline struct target_counters *target_of(u32 scope, const struct address *remote)
{
	struct target_key key = {.scope = scope, .remote = *remote};
	struct target_counters zero = {};
	struct target_counters *counters = targets.lookup(&key);
	if (!counters) {
		targets.insert(&key, &zero);
		counters = targets.lookup(&key);
	}
	if (!counters)
		lose(LOST_TARGETS);
	return counters;
}

/* `tgid` rather than the current task: the end of an attempt comes in an interrupt. */
static __always_inline void connection_event(u32 scratch, u32 operation, const struct owned_socket *owned, u64 start,
					     u64 now, u32 error)
{
	if (!event_allowed(operation, error ? EVENT_REMARKABLE : EVENT_PLAIN, now))
		return;
	struct event *event = event_begin(scratch, operation, owned->scope);
	if (!event)
		return;
	u32 tgid = owned->tgid;
	event_process(event, processes.lookup(&tgid));
	event->tgid = tgid;
	event->start_ns = start;
	event->duration_ns = now - start;
	event->error = error;
	event_address(event, &owned->remote);
	event_send(event);
}

static __always_inline void attempt_failed(u32 scratch, const struct owned_socket *owned, u64 now, u32 error)
{
	count_once(owned->scope, OP_CONNECTIONS_FAILURE);
	count_error(owned->scope, OP_CONNECTIONS_FAILURE, error);
	struct target_counters *target = target_of(owned->scope, &owned->remote);
	if (target)
		__sync_fetch_and_add(&target->failed, 1);
	connection_event(scratch, error == ERROR_ABORTED ? OP_CONNECTIONS_FAILURE : OP_CONNECTIONS_ATTEMPT, owned,
			 owned->attempt_ns, now, error);
}

static __always_inline void attempt_begun(u32 scope, struct process *process, const struct address *remote)
{
	count_once(scope, OP_CONNECTIONS_ATTEMPT);
	count_for_process(process);
	struct target_counters *target = target_of(scope, remote);
	if (target)
		__sync_fetch_and_add(&target->attempts, 1);
}

/* A connect that the program waited for: what takes part in an interrupt later on has no stack of the program's. */
static __always_inline void connect_seen(u32 scope, struct pt_regs *regs, const struct done *done)
{
	struct address remote = {};
	struct slow_target *target = slow_seen(OP_CONNECTIONS_ATTEMPT, scope, done, RTT_THRESHOLD_NS);
	struct total *total = target ? total_of(scope, OP_CONNECTIONS_ATTEMPT) : 0;
	if (!total)
		return;
	__sync_fetch_and_add(&total->slow, 1);
	user_address((const char *)SYSCALL_ARG1(regs), &remote);
	slow_at_address(target, &remote);
}

/* A connect that failed before its socket ever was in SYN_SENT: no route, no free port, refused by a firewall rule. */
static __always_inline void connect_done(u32 scope, struct process *process, struct call *call, struct pt_regs *regs,
					 const struct done *done)
{
	struct sock *sk = call->file && type_of(call->file) == TYPE_SOCKET ? tcp_socket_of(call->file) : 0;
	if (!sk)
		return;
	connect_seen(scope, regs, done);
	if (done->result >= 0)
		return;
	u64 key = (u64)sk;
	u32 error = -done->result;
	if (call->flags & CALL_ATTEMPT_FAILED) {
		struct owned_socket *owned = sockets.lookup(&key);
		if (owned && owned->attempt_ns) {
			attempt_failed(SCRATCH_PROCESS, owned, done->now, error);
			owned->attempt_ns = 0;
		}
		return;
	}
	if ((call->flags & CALL_ATTEMPT_SEEN) || !(call->flags & CALL_WAS_UNCONNECTED))
		return;
	if (error >= ERROR_RESTART_FIRST || error == ERROR_IN_PROGRESS || error == ERROR_ALREADY ||
	    error == ERROR_IS_CONNECTED || error == ERROR_AGAIN || error == ERROR_BADF)
		return;
	struct owned_socket failed = {.attempt_ns = done->start, .scope = scope};
	failed.tgid = bpf_get_current_pid_tgid() >> 32;
	const char *name = (const char *)SYSCALL_ARG1(regs);
	user_address(name, &failed.remote);
	if (failed.remote.family == FAMILY_NONE)
		return;
	attempt_begun(scope, process, &failed.remote);
	attempt_failed(SCRATCH_PROCESS, &failed, done->now, error);
}
