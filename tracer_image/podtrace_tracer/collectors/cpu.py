"""cpu: switches, what threads waited for off their CPU, the time of each process on one; the stacks of both."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors.model import Collector, ProbeSpec

ALONE: Final = "collectors/wait_ends.bpf.c"
"""The ends of system calls where no topic counts system calls."""

COLLECTOR: Final = Collector(
    topic="cpu",
    sources=(
        "include/cpu_processes.bpf.h",
        "include/waits.bpf.h",
        "include/off_cpu.bpf.h",
        "include/lock_switches.bpf.h",
        "include/slow_operations.bpf.h",
        "include/long_waits.bpf.h",
        "include/cpu_samples.bpf.h",
        "collectors/cpu.bpf.c",
        "collectors/waits.bpf.c",
    ),
    probes=(
        ProbeSpec(
            tracepoint="sched_wakeup",
            required=True,
            costs="time that a thread waits for a CPU after it was woken counts as what it waited for before",
        ),
        ProbeSpec(tracepoint="sched_switch", required=True, costs="threads that leave a CPU are not seen"),
        ProbeSpec(
            kind="perf_event",
            tracepoint="cpu_clock",
            costs="there are no samples, and what a thread runs is seen only when it leaves its CPU",
        ),
        ProbeSpec(tracepoint="sys_exit", costs="no wait off the CPU has a stack"),
    ),
    structs={
        "task_struct": ("pid", "flags", "state", "__state", "in_iowait", "stack", "se.sum_exec_runtime"),
        "dentry": ("d_name",),
        "qstr": ("name",),
        "eventpoll": ("rbr.rb_root.rb_node",),
        "epitem": ("rbn", "ffd.file"),
        "rb_node": ("rb_left", "rb_right"),
    },
)
