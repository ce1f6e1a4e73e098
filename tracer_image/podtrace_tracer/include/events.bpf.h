/* SPDX-License-Identifier: GPL-2.0 */
/* Single operations for the stream: structural, failed or slow ones, rate-limited, the suppressed ones counted. */

struct file_key {
	u64 dentry;
	u64 parent;
	u64 name_hash;
	u64 mount;
	u64 scope;
};

#define RECORD_EVENT 1
#define RECORD_PATH 2
#define EVENT_TEXT 256

struct event {
	u32 record;
	u32 operation;
	u64 start_ns;
	u64 duration_ns;
	s64 result;
	struct file_key file;
	u32 scope;
	u32 tgid;
	u32 pid;
	u32 node_pid;
	u32 error;
	u32 signal;
	u32 slow;
	u16 family;
	u16 port;
	u8 address[16];
	char comm[16];
	char text[EVENT_TEXT];
};
BPF_RINGBUF_OUTPUT(ring, RING_PAGES);
/* One event under construction per CPU and context: process (0) and interrupt (1) must not share one. */
BPF_PERCPU_ARRAY(event_scratch, struct event, 2);
#define SCRATCH_PROCESS 0
#define SCRATCH_INTERRUPT 1

struct event_budget {
	u64 window;
	u64 used;
	u64 suppressed;
};
/* Per operation; failed and slow ones have a budget of their own, so that a flood of good ones cannot hide them, and so have
 * those that tell of the end of a container. */
#define EVENT_PLAIN 0
#define EVENT_REMARKABLE 1
#define EVENT_URGENT 2
BPF_PERCPU_ARRAY(event_budgets, struct event_budget, OPERATIONS *EVENT_RANKS);

static __always_inline int event_allowed(u32 operation, u32 rank, u64 now)
{
	u32 index = operation * EVENT_RANKS + rank;
	struct event_budget *budget = event_budgets.lookup(&index);
	if (!budget)
		return 0;
	if (!EVENTS_PER_S)
		return 1;
	u64 window = now >> 30;
	if (budget->window != window) {
		budget->window = window;
		budget->used = 0;
	}
	if (budget->used >= EVENTS_PER_S) {
		__sync_fetch_and_add(&budget->suppressed, 1);
		return 0;
	}
	__sync_fetch_and_add(&budget->used, 1);
	return 1;
}

static __always_inline struct event *event_begin(u32 scratch, u32 operation, u32 scope)
{
	struct event *event = event_scratch.lookup(&scratch);
	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event) - EVENT_TEXT + 8);
	event->record = RECORD_EVENT;
	event->operation = operation;
	event->scope = scope;
	return event;
}

static __always_inline void event_process(struct event *event, const struct process *process)
{
	if (!process)
		return;
	event->tgid = process->tgid;
	event->pid = process->pid;
	event->node_pid = process->node_pid;
	__builtin_memcpy(event->comm, process->comm, sizeof(event->comm));
}

/* The event of a system call that failed or was slow, if this second has room for it. */
static __always_inline struct event *event_of_call(u32 operation, u32 scope, const struct process *process,
						   const struct done *done)
{
	if (!event_allowed(operation, EVENT_REMARKABLE, done->now))
		return 0;
	struct event *event = event_begin(SCRATCH_PROCESS, operation, scope);
	if (!event)
		return 0;
	event_process(event, process);
	event->start_ns = done->start ? done->start : done->now;
	event->duration_ns = done->now - event->start_ns;
	event->error = done->result < 0 ? -done->result : 0;
	return event;
}

static __always_inline void event_send(struct event *event)
{
	/* Nobody is woken for an event: the tracer looks ten times a second. */
	if (ring.ringbuf_output(event, sizeof(*event), BPF_RB_NO_WAKEUP))
		lose(LOST_EVENTS);
}
