/* SPDX-License-Identifier: GPL-2.0 */
/* descriptors that come through UNIX sockets, in the control messages of recvmsg and recvmmsg. */

#define FAMILY_UNIX 1
#define LEVEL_SOCKET 1
#define RIGHTS 1
#define PIDFD 4
#define CONTROL_HEADER 16
#define RECEIVED_STEPS 32

/* Where the reading stands: messages are left, in them control messages, in these descriptors. */
struct received {
	u64 message; /* the next struct msghdr */
	u64 control; /* the next struct cmsghdr, and where they end */
	u64 end;
	u64 place; /* the next descriptor, and how many */
	u32 descriptors;
	u32 messages;
	u32 scope;
	u32 unused;
};
BPF_PERCPU_ARRAY(received, struct received, 1);

static __always_inline struct received *current_received(void)
{
	u32 first = 0;
	return received.lookup(&first);
}

/* Only UNIX sockets carry descriptors; a look at a message (MSG_PEEK) gives them too. */
static __always_inline int received_begin(const struct finished *finished, const struct done *done)
{
	struct received *at = current_received();
	struct file *file = finished->file;
	if (done->result < 0 || !at || !file || type_of(file) != TYPE_SOCKET)
		return 0;
	struct sock *sk = socket_of(file);
	if (READ(sk, __sk_common.skc_family) != FAMILY_UNIX)
		return 0;
	__builtin_memset(at, 0, sizeof(*at));
	at->scope = finished->scope;
	at->message = SYSCALL_ARG1(finished->regs);
	at->messages = finished->class == CLASS_RECVMMSG ? done->result : 1;
	return 1;
}

static __always_inline void received_control(struct received *at)
{
	struct {
		u64 length;
		s32 level;
		s32 type;
	} header = {};
	read_user(&header, sizeof(header), (void *)at->control);
	u64 length = header.length;
	if (length < CONTROL_HEADER || length > at->end - at->control) {
		at->end = 0;
		return;
	}
	at->place = at->control + CONTROL_HEADER;
	if (header.level == LEVEL_SOCKET && (header.type == RIGHTS || header.type == PIDFD))
		at->descriptors = (length - CONTROL_HEADER) / sizeof(s32);
	at->control += (length + 7) & ~7ULL;
}

/* The next thing, whatever it is; 0 when there is none left. */
static __always_inline int received_step(struct received *at)
{
	if (at->descriptors) {
		s32 descriptor = NO_DESCRIPTOR;
		read_user(&descriptor, sizeof(descriptor), (void *)at->place);
		at->place += sizeof(descriptor);
		at->descriptors--;
		if (descriptor >= 0)
			descriptor_opened(at->scope, descriptor);
		return 1;
	}
	if (at->control + CONTROL_HEADER <= at->end) {
		received_control(at);
		return 1;
	}
	if (!at->messages)
		return 0;
	/* The kernel has left in the length what it filled. */
	u64 control[2] = {};
	read_user(control, sizeof(control), (void *)(at->message + MESSAGE_CONTROL));
	at->control = control[0];
	at->end = control[0] + control[1];
	at->message += MESSAGES_DISTANCE;
	at->messages--;
	return 1;
}

/* Goes back to where the call's end was being counted. */
CALL_PROBE(received)
{
	struct received *at = current_received();
	struct tail_work *work = current_tail_work();
	if (!at || !work)
		return 0;
	u32 steps = 0;
	int left = 0;
	do {
		left = received_step(at);
		if (!left)
			break;
		asm volatile("" : "+r"(steps));
	} while (++steps < RECEIVED_STEPS);
	FORGET(left);
	if (left) {
		tails.call(ctx, TAIL_RECEIVED);
		lose(LOST_DESCRIPTORS);
	}
	work->received_done = 1;
	tails.call(ctx, TAIL_SYS_EXIT);
	work->received_done = 0;
	return 0;
}
