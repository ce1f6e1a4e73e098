/* SPDX-License-Identifier: GPL-2.0 */
/* Whose event is it: is a task in the target, and in which of its containers.
 *
 * SCOPE_MODE is how the target is matched: by the helper that asks for an ancestor in the v2 hierarchy, by a walk (v1, or
 * kernels without the helper) whose answer is remembered per process, or by a set of processes that grows at fork.
 */

struct process {
	u64 start_ns;
	u64 ended_ns;
	u64 events;
	u32 scope;
	u32 tgid;
	u32 pid;
	u32 node_pid;
	char comm[16];
	u64 oom_killed; /* 1 once the kernel chose to end it for its memory */
};
BPF_HASH(processes, u32, struct process, MAX_PROCESSES);

struct ended_key {
	u64 start_ns;
	u64 tgid;
};
/* Processes that ended, until the tracer has read them. */
BPF_HASH(ended, struct ended_key, struct process, MAX_PROCESSES);

/* cgroup id -> scope, and the indices that are still free: a container that is new takes the next one. */
BPF_HASH(scope_of_cgroup, u64, u32, MAX_SCOPES);
BPF_QUEUE(free_scopes, u32, MAX_SCOPES);

/* The names of their cgroups: a container can be gone before the tracer finds its directory. */
struct cgroup_name {
	char text[128];
};
BPF_ARRAY(scope_names, struct cgroup_name, MAX_SCOPES);

#if SCOPE_MODE != SCOPE_HELPER
#define MEMBER_INSIDE 1
#define MEMBER_OUTSIDE 2
BPF_HASH(members, u32, u32, MAX_MEMBERS);
#endif

static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = READ(task, cgroups);
#ifdef SCOPE_SUBSYSTEM
	struct cgroup_subsys_state *state = READ_POINTER(&set->subsys[SCOPE_SUBSYSTEM]);
	return READ(state, cgroup);
#else
	return READ(set, dfl_cgrp);
#endif
}

/* The id of the ancestor of a cgroup at a level, 0 if it is not that deep. */
static __always_inline u64 ancestor_id(struct cgroup *group, u32 level)
{
	if ((u32)READ(group, level) < level)
		return 0;
#ifdef HAVE_cgroup__ancestors
	struct cgroup *ancestor = READ_POINTER((void *)&group->ancestors + level * sizeof(ancestor));
	struct kernfs_node *node = READ(ancestor, kn);
	return READ(node, id);
#else
	u64 id = 0;
	bpf_probe_read_kernel(&id, sizeof(id), (void *)&group->ancestor_ids + level * sizeof(id));
	return id;
#endif
}

#if SCOPE_MODE != SCOPE_PROCESSES
/* The level of the target's cgroup above this one, -1 if it is not above. Below a cgroup namespace (kind) the tracer cannot
 * know it: then it is looked for. */
static __always_inline int level_of_target(struct cgroup *group)
{
#ifdef SCOPE_LEVEL
	return ancestor_id(group, SCOPE_LEVEL) == SCOPE_ROOT_ID ? SCOPE_LEVEL : -1;
#else
	int found = -1;
	for (int level = 1; level < 16; level++) {
		u64 id = ancestor_id(group, level);
		if (!id)
			break;
		if (id == SCOPE_ROOT_ID) {
			found = level;
			break;
		}
	}
	FORGET(found);
	return found;
#endif
}
#endif

static __always_inline int task_in_scope(struct task_struct *task)
{
#if SCOPE_MODE == SCOPE_PROCESSES
	u32 tgid = READ(task, tgid);
	return members.lookup(&tgid) != 0;
#else
	return level_of_target(cgroup_of(task)) >= 0;
#endif
}

static __always_inline int current_in_scope(void)
{
#if SCOPE_MODE == SCOPE_HELPER
	return bpf_get_current_ancestor_cgroup_id(SCOPE_LEVEL) == SCOPE_ROOT_ID;
#else
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u32 *member = members.lookup(&tgid);
	if (member)
		return *member == MEMBER_INSIDE;
#if SCOPE_MODE == SCOPE_PROCESSES
	return 0;
#else
	u32 found = task_in_scope(CURRENT_TASK) ? MEMBER_INSIDE : MEMBER_OUTSIDE;
	members.update(&tgid, &found);
	return found == MEMBER_INSIDE;
#endif
#endif
}

static __always_inline void name_scope(u32 scope, struct cgroup *group, u32 level)
{
	struct cgroup_name *name = scope_names.lookup(&scope);
	if (!name || (u32)READ(group, level) < level)
		return;
#ifdef HAVE_cgroup__ancestors
	group = READ_POINTER((void *)&group->ancestors + level * sizeof(group));
#else
	if ((u32)READ(group, level) > level)
		return; /* such a kernel tells only the ids of those above */
#endif
	struct kernfs_node *node = READ(group, kn);
	bpf_probe_read_kernel_str(name->text, sizeof(name->text), READ(node, name));
}

/* The index of a container, whose cgroup is that above (or at) this one. The last one is shared by all that find none free. */
static __always_inline u32 scope_of(u64 cgroup_id, struct cgroup *group, u32 level)
{
	u32 *known = scope_of_cgroup.lookup(&cgroup_id), fresh = 0;
	if (known)
		return *known;
	if (free_scopes.pop(&fresh) == 0) {
		name_scope(fresh, group, level);
		if (scope_of_cgroup.insert(&cgroup_id, &fresh))
			free_scopes.push(&fresh, 0);
	}
	known = scope_of_cgroup.lookup(&cgroup_id);
	return known ? *known : MAX_SCOPES - 1;
}

/* The container of a cgroup that is in the target. */
static __always_inline u32 cgroup_scope(struct cgroup *group)
{
#if SCOPE_PER_CHILD
	u32 level = level_of_target(group) + 1;
	u64 child = ancestor_id(group, level);
	return scope_of(child ? child : SCOPE_ROOT_ID, group, level);
#else
	return 0;
#endif
}

static __always_inline u32 task_scope(struct task_struct *task)
{
	return cgroup_scope(SCOPE_PER_CHILD ? cgroup_of(task) : 0);
}

/* The pid in the process's own pid namespace (the innermost) and in the tracer's. */
static __always_inline void fill_pids(struct process *process, struct task_struct *leader)
{
	struct pid *pid = READ(leader, thread_pid);
	u32 level = READ(pid, level);
	for (u32 i = 0; i < 8; i++) {
		struct upid number = {};
		if (i > level)
			break;
		bpf_probe_read_kernel(&number, sizeof(number), (void *)&pid->numbers + i * sizeof(number));
		process->pid = number.nr;
		if (READ(number.ns, ns.inum) == TRACER_PID_NAMESPACE)
			process->node_pid = process->pid;
	}
}

static __always_inline void fill_process(struct process *process, struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);
	process->start_ns = READ(leader, start_time);
	process->tgid = READ(task, tgid);
	process->scope = task_scope(task);
	fill_pids(process, leader);
	/* Older kernels leave the rest of a longer name behind the end of the next one; names are parts of keys. */
	__builtin_memset(process->comm, 0, sizeof(process->comm));
	bpf_probe_read_kernel_str(process->comm, sizeof(process->comm), &leader->comm);
}

static __always_inline struct process *register_process(struct task_struct *task)
{
	struct process process = {};
	fill_process(&process, task);
	u32 tgid = process.tgid;
	processes.insert(&tgid, &process);
	return processes.lookup(&tgid);
}

/* The entry of the current process; 0 only when the table is full. */
static __always_inline struct process *current_process(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = processes.lookup(&tgid);
	return process ? process : register_process(CURRENT_TASK);
}
