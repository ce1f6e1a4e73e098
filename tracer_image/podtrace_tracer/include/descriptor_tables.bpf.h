/* SPDX-License-Identifier: GPL-2.0 */
/* Looking through a whole descriptor table: some steps in each program, which is called again for the next ones. */

#define TABLE_STEPS 128
#define LAST_DESCRIPTOR 0xffffffffU

#define WALK_CLOSES 1
#define WALK_CLOSES_AT_EXEC 2
#define WALK_ENDS 3
#define WALK_BEGINS 4

/* What a process had open when it was made, or when it began to run another program. */
struct birth {
	u64 at_ns;
	u32 node_pid;
	u32 unused;
	struct kinds kinds;
};
BPF_HASH(births, u32, struct birth, MAX_PROCESSES);

struct table_walk {
	u64 task;
	u64 bits; /* of the current word: the descriptors that are still to be counted */
	u32 word; /* the next one */
	u32 first;
	u32 last;
	u32 purpose;
	u32 id; /* of the thread or process */
	u32 scope;
	u32 node_pid;
	struct kinds kinds;
};
BPF_PERCPU_ARRAY(table_walks, struct table_walk, 1);

static __always_inline struct table_walk *current_table_walk(void)
{
	u32 first = 0;
	return table_walks.lookup(&first);
}

/* Prepares a walk through all of a table; the caller goes on by a tail call. */
static __always_inline struct table_walk *table_walk_begin(u32 purpose, struct task_struct *task, u32 id)
{
	struct table_walk *walk = current_table_walk();
	if (!walk)
		return 0;
	__builtin_memset(walk, 0, sizeof(*walk));
	walk->purpose = purpose;
	walk->task = (u64)task;
	walk->id = id;
	walk->last = LAST_DESCRIPTOR;
	return walk;
}

/* The descriptors of one word that the walk is about. A close-on-exec bit can outlive its descriptor. */
static __always_inline u64 table_bits(const struct table_walk *walk, struct fdtable *table, u32 word)
{
	u64 bits = READ_WORD(READ(table, open_fds) + word);
	if (walk->purpose == WALK_CLOSES_AT_EXEC)
		bits &= READ_WORD(READ(table, close_on_exec) + word);
	if (word == walk->first / 64)
		bits &= ~0ULL << (walk->first & 63);
	if (word == walk->last / 64)
		bits &= ~0ULL >> (63 - (walk->last & 63));
	return bits;
}

/* One descriptor, or on to the next word; 0 when there is none left. */
static __always_inline int table_step(struct table_walk *walk, struct fdtable *table)
{
	u64 bits = walk->bits;
	if (!bits) {
		u32 word = walk->word;
		if (word > walk->last / 64 || word * 64 >= READ(table, max_fds))
			return 0;
		walk->bits = table_bits(walk, table, word);
		walk->word = word + 1;
		return 1;
	}
	u64 position = log2_of(bits) & 63;
	walk->bits = bits & ~(1ULL << position);
	struct file *file = READ_POINTER(READ(table, fd) + ((walk->word - 1) * 64 + position));
	/* A number can be taken while its file is still being opened. */
	if (file)
		walk->kinds.count[kind_of(file) & (KINDS - 1)]++;
	return 1;
}

/* Remembers at the beginning of a call what it may close; 1 if that is to be looked for in the table. */
static __always_inline int closes_begin(struct call *call, u32 class, struct pt_regs *regs)
{
	call->kind = 0;
	if (class == CLASS_CLOSE)
		call->kind = kind_to_remember(SYSCALL_ARG0(regs));
	if (class == CLASS_DUP_OVER)
		call->kind = kind_to_remember(SYSCALL_ARG1(regs));
	int is_exec = class == CLASS_EXEC || class == CLASS_EXECAT;
	if (!is_exec && class != CLASS_CLOSE_RANGE)
		return 0;
	struct table_walk *walk =
		table_walk_begin(is_exec ? WALK_CLOSES_AT_EXEC : WALK_CLOSES, CURRENT_TASK, call->tid);
	if (!walk)
		return 0;
	if (!is_exec) {
		walk->first = SYSCALL_ARG0(regs);
		walk->last = SYSCALL_ARG1(regs);
		walk->word = walk->first / 64;
	}
	return 1;
}

/* Prepares to look at what a process has at its beginning; 1 if there is a process to look at. */
static __always_inline int birth_begins(const struct process *process, struct task_struct *task)
{
	struct table_walk *walk = process ? table_walk_begin(WALK_BEGINS, task, process->tgid) : 0;
	if (!walk)
		return 0;
	walk->node_pid = process->node_pid;
	return 1;
}

static __always_inline void birth_done(struct table_walk *walk)
{
	struct birth birth = {.at_ns = bpf_ktime_get_ns(), .node_pid = walk->node_pid};
	u32 tgid = walk->id;
	birth.kinds = walk->kinds;
	if (births.update(&tgid, &birth))
		lose(LOST_TABLES);
}
