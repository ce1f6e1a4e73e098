"""What every topic rests on: the two ends of a system call, and the book of the target's processes."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors.model import ProbeSpec

HEADERS: Final = (
    "include/kernel.bpf.h",
    "include/histogram.bpf.h",
    "include/scope.bpf.h",
    "include/totals.bpf.h",
    "include/events.bpf.h",
    "include/syscalls.bpf.h",
    "include/stacks.bpf.h",
    "include/descriptor.bpf.h",
    "include/messages.bpf.h",
    "include/finish.bpf.h",
)
"""In the order in which they build on each other."""

BOOK_SOURCES: Final = ("collectors/lifecycle.bpf.c", "collectors/processes.bpf.c")
SYSTEM_CALL_SOURCES: Final = (
    "include/slow_operations.bpf.h",
    "collectors/stacks.bpf.c",
    "collectors/transfers.bpf.c",
    "collectors/syscalls.bpf.c",
)
"""Behind the topics' own, whose functions both call; the second ones only where a topic asks for system calls."""

PROBES: Final = (
    ProbeSpec(tracepoint="sched_process_fork", required=True, costs="new processes of the target are not followed"),
    ProbeSpec(tracepoint="sched_process_exec", required=True, costs="programs that start are not seen"),
    ProbeSpec(tracepoint="sched_process_exit", required=True, costs="ends of processes are not seen"),
    ProbeSpec(
        tracepoint="cgroup_attach_task",
        costs="a process that is moved into another container is still shown under its first one",
    ),
)
SYSTEM_CALL_PROBES: Final = (
    # The exit comes first: a call whose beginning was seen must not be missed at its end.
    ProbeSpec(tracepoint="sys_exit", required=True, costs="no system call is counted"),
    ProbeSpec(tracepoint="sys_enter", required=True, costs="no latency of a system call is known"),
)

CALL_ENDS: Final = ("sys_exit", "sys_enter")
BY_EVENTS: Final = {**dict.fromkeys(CALL_ENDS, "raw_syscalls"), "sched_process_exit": "sched"}
"""Tracepoint -> its category: what comes by trace events where the programs of raw tracepoints are preemptible.

All that processes reach by themselves, and that tell enough there. Not what interrupts reach too, such as the states of
sockets: while a trace event's program runs on a CPU, an interrupt's is skipped, far more often than a raw one ever is.
"""

STRUCTS: Final = {
    "task_struct": (
        "tgid", "comm", "group_leader", "files", "cgroups", "signal", "start_time", "thread_pid",
        "exit_code", "self_exec_id",
    ),
    "list_head": ("next",),
    "signal_struct": ("live", "flags", "group_exit_code"),
    "atomic_t": ("counter",),
    "pid": ("level", "numbers"),
    "upid": ("nr", "ns"),
    "pid_namespace": ("ns",),
    "ns_common": ("inum",),
    "css_set": ("dfl_cgrp", "subsys"),
    "cgroup_subsys_state": ("cgroup",),
    "cgroup": ("kn", "level", "ancestors", "ancestor_ids"),
    "kernfs_node": ("id", "name"),
    "files_struct": ("fdt",),
    "fdtable": ("max_fds", "fd"),
    "file": ("f_inode", "f_path", "private_data"),
    "path": ("mnt", "dentry"),
    "inode": ("i_mode", "i_ino"),
    "socket": ("sk", "state"),
    "sock": ("__sk_common", "sk_lock.owned", "sk_protocol", "sk_err", "sk_cgrp_data"),
    "sock_common": (
        "skc_family", "skc_dport", "skc_num", "skc_daddr", "skc_v6_daddr", "skc_state", "skc_cookie",
    ),
    "atomic64_t": ("counter",),
    "linux_binprm": ("filename",),
}  # fmt: skip

REGISTERS: Final = {
    "x86_64": ("di", "si", "dx", "r10", "r8", "ax", "orig_ax", "ip", "cs", "sp"),
    "aarch64": ("regs", "orig_x0", "syscallno", "pstate"),
}
