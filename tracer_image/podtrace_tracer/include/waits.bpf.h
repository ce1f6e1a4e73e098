/* SPDX-License-Identifier: GPL-2.0 */
/* What a thread waits for when it leaves its CPU: by its state, by the system call that it is in, by what the call waits on. */

/* linux/sched.h */
#define STATE_INTERRUPTIBLE 1
#define STATE_UNINTERRUPTIBLE 2
#define STATE_DEAD 0x80

#define ERROR_NOSYS 38
/* So many descriptors of a set are looked at; of select, those below 64. */
#define MAX_LOOKED_AT 16
#define MAX_EPOLL_PLACES 32
#define TIMER_NAME 0x646672656d69745bULL /* "[timerfd" */

/* Number -> WAIT_ constant, filled by the tracer for this architecture. */
BPF_ARRAY(wait_calls, u32, SYSCALL_NUMBERS);

static __always_inline u32 task_state(struct task_struct *task)
{
#ifdef HAVE_task_struct____state
	return READ(task, __state);
#else
	return READ(task, state);
#endif
}

/* Bit-fields have a place and no name: the word around it is read. */
static __always_inline int waits_for_disk(struct task_struct *task)
{
#ifdef BF_OFF_task_struct__in_iowait
	u64 word = READ_WORD((char *)task + BF_OFF_task_struct__in_iowait / 64 * 8);
	return word >> BF_OFF_task_struct__in_iowait % 64 & 1;
#else
	return 0;
#endif
}

/* The registers with which the current task entered the kernel. */
static __always_inline struct pt_regs *entry_registers(struct task_struct *task)
{
#ifdef TASK_REGISTERS
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
#else
	return (struct pt_regs *)((char *)READ(task, stack) + THREAD_BYTES) - 1;
#endif
}

/* Is the current task in a system call? */
static __always_inline int is_in_call(struct pt_regs *regs)
{
#ifdef __aarch64__
	return (s32)READ(regs, syscallno) >= 0;
#else
	/* Exceptions leave another number there, and whatever the program had in this register. */
	return (s64)READ(regs, ax) == -ERROR_NOSYS;
#endif
}

/* The class of the system call that the current task is in; 0 if it is in none, or in none that we know. */
static __always_inline u32 wait_class(struct pt_regs *regs)
{
	u32 number = SYSCALL_NUMBER(regs);
	if (!is_in_call(regs) || IS_32BIT_CALL(regs) || number >= SYSCALL_NUMBERS)
		return 0;
	u32 *class = wait_calls.lookup(&number);
	return class ? *class : 0;
}

/* What a wait on a file counts as. */
static __always_inline u32 file_operation(struct file *file)
{
	u64 name = 0;
	if (!file)
		return OP_CPU_OTHER;
	if (type_of(file) == TYPE_SOCKET) {
		u16 family = READ(socket_of(file), __sk_common.skc_family);
		return family == FAMILY_INET || family == FAMILY_INET6 ? OP_CPU_NETWORK : OP_CPU_OTHER;
	}
	struct dentry *entry = READ(file, f_path.dentry);
	bpf_probe_read_kernel(&name, sizeof(name), READ(entry, d_name.name));
	return name == TIMER_NAME ? OP_CPU_SLEEP : OP_CPU_OTHER;
}

/* What a wait in this state and call counts as; for sets of descriptors as long as nobody has looked at them. */
static __always_inline u32 wait_operation(struct task_struct *task, struct pt_regs *regs, u32 state, u32 class)
{
	if (state & STATE_UNINTERRUPTIBLE)
		return class == WAIT_SYNC || waits_for_disk(task) ? OP_CPU_DISK : OP_CPU_OTHER;
	if (!(state & STATE_INTERRUPTIBLE))
		return OP_CPU_OTHER;
	switch (class) {
	case WAIT_LOCK:
	case WAIT_LOCKS:
	case WAIT_NEW_LOCK:
		return OP_CPU_LOCK;
	case WAIT_SLEEP:
		return OP_CPU_SLEEP;
	case WAIT_DESCRIPTOR:
		return file_operation(file_of(SYSCALL_ARG0(regs)));
	}
	return OP_CPU_OTHER;
}

/* A set of descriptors: a network one among them decides; nothing but timers, or nothing at all, is a sleep. */
static __always_inline int set_decided(u32 *operation, struct file *file)
{
	u32 own = file_operation(file);
	if (own != OP_CPU_SLEEP)
		*operation = own;
	return own == OP_CPU_NETWORK;
}

/* Each step says whether there is more to look at. The loops test that at their end, as kernels like 5.10 want it. */
#define LOOK(step, most)                                                                                               \
	do {                                                                                                           \
		u32 steps_ = 0;                                                                                        \
		do {                                                                                                   \
			if (!(step))                                                                                   \
				break;                                                                                 \
			asm volatile("" : "+r"(steps_));                                                               \
		} while (++steps_ < (most));                                                                           \
	} while (0)

struct poll_set {
	const char *next;
	u32 left;
};

static __always_inline int poll_step(struct poll_set *set, u32 *operation)
{
	s32 descriptor = -1;
	if (!set->left || read_user(&descriptor, sizeof(descriptor), set->next))
		return 0;
	set->left--;
	set->next += 8;
	return descriptor < 0 || !set_decided(operation, file_of(descriptor));
}

static __always_inline u32 poll_operation(struct pt_regs *regs)
{
	struct poll_set set = {.next = (const char *)SYSCALL_ARG0(regs), .left = SYSCALL_ARG1(regs)};
	u32 operation = OP_CPU_SLEEP;
	LOOK(poll_step(&set, &operation), MAX_LOOKED_AT);
	FORGET(operation);
	return operation;
}

static __always_inline int select_step(u64 *set, u32 *operation)
{
	if (!*set)
		return 0;
	u32 descriptor = log2_of(*set);
	*set &= ~(1ULL << descriptor);
	return !set_decided(operation, file_of(descriptor));
}

static __always_inline u32 select_operation(struct pt_regs *regs)
{
	u64 readable = 0, writable = 0, exceptional = 0;
	u32 operation = OP_CPU_SLEEP;
	u32 count = SYSCALL_ARG0(regs);
	read_user(&readable, sizeof(readable), (void *)SYSCALL_ARG1(regs));
	read_user(&writable, sizeof(writable), (void *)SYSCALL_ARG2(regs));
	read_user(&exceptional, sizeof(exceptional), (void *)SYSCALL_ARG3(regs));
	u64 set = readable | writable | exceptional;
	if (count < 64)
		set &= (1ULL << count) - 1;
	LOOK(select_step(&set, &operation), MAX_LOOKED_AT);
	FORGET(operation);
	return operation;
}

#ifdef HAVE_epitem__ffd__file
/* The node at a place of a tree, counted from 1 at its root row by row; the places below a place are its double and the next. */
static __always_inline struct rb_node *node_at(struct rb_node *root, u32 place)
{
	struct rb_node *node = root;
	for (u32 bit = 8; bit; bit >>= 1) {
		if (place < bit * 2 || !node)
			continue;
		node = place & bit ? READ(node, rb_right) : READ(node, rb_left);
	}
	return node;
}

static __always_inline int epoll_step(struct rb_node *root, u32 place, u32 *operation)
{
	struct rb_node *node = node_at(root, place);
	if (!node)
		return 1;
	struct epitem *item = (struct epitem *)((char *)node - __builtin_offsetof(struct epitem, rbn));
	return !set_decided(operation, READ(item, ffd__file));
}
#endif

/* The kernel keeps an epoll set as a tree: its upper rows are looked at. */
static __always_inline u32 epoll_operation(struct pt_regs *regs)
{
	u32 operation = OP_CPU_SLEEP;
#ifdef HAVE_epitem__ffd__file
	struct file *file = file_of(SYSCALL_ARG0(regs));
	struct eventpoll *set = file ? READ(file, private_data) : 0;
	struct rb_node *root = set ? READ(set, rbr__rb_root__rb_node) : 0;
	LOOK(epoll_step(root, steps_ + 1, &operation), MAX_EPOLL_PLACES - 1);
	FORGET(operation);
#else
	operation = OP_CPU_OTHER;
#endif
	return operation;
}
