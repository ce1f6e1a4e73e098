"""locks: waits for futexes by process and address, and who ended them. The programs of cpu see when threads wait."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import cpu
from podtrace_tracer.collectors.model import Collector, ProbeSpec

COLLECTOR: Final = Collector(
    topic="locks",
    sources=(*cpu.COLLECTOR.sources, "include/locks.bpf.h", "include/lock_stacks.bpf.h", "collectors/locks.bpf.c"),
    probes=(
        ProbeSpec(
            tracepoint="sched_waking",
            costs="who ends the waits for a lock is not known, nor which of them ended by their time-out",
        ),
        *cpu.COLLECTOR.probes,
    ),
    structs={
        **cpu.COLLECTOR.structs,
        "task_struct": (*cpu.COLLECTOR.structs["task_struct"], "pending.signal.sig", "blocked.sig", "clear_child_tid"),
        "signal_struct": ("shared_pending.signal.sig",),
        "pt_regs": ("sp",),
    },
)
