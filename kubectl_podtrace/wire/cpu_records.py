"""The records of the topic cpu; what all records have in common is said in `records`."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, Index, Pid, Text


@dataclass(frozen=True, kw_only=True)
class CpuProcessRow:
    """What a process had of the CPUs: time on them, switches away from them, samples that found it there."""

    scope: Index
    pid: Pid
    node_pid: Pid
    start_ns: Count
    comm: Text
    on_cpu_ns: Count
    switches: Count
    samples: Count


@dataclass(frozen=True, kw_only=True)
class CpuProcesses:
    """Processes by their time on a CPU, as `Files`; ended ones too."""

    rows: tuple[CpuProcessRow, ...]


@dataclass(frozen=True, kw_only=True)
class ThrottlingRow:
    """How often a cgroup's CPU limit was enforced since the start, how often it held threads back, and how long."""

    scope: Index
    periods: Count
    throttled: Count
    total_ns: Count


@dataclass(frozen=True, kw_only=True)
class Throttling:
    """Counters of the scopes' cgroups, as they are in cpu.stat; none where no CPU controller is at work."""

    rows: tuple[ThrottlingRow, ...]
