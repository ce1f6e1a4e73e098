"""The records of the topic memory: page faults of processes, limits of cgroups."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, Index, Pid, Text


@dataclass(frozen=True, kw_only=True)
class MemoryProcessRow:
    """The page faults of a process since the start of the trace, and what it had resident.

    `start_ns` is its start since the boot of the node, to the clock tick. `resident_bytes` was read last, and
    `resident_peak_bytes` is the most that was read; both are 0 for a process that was never met alive.
    """

    scope: Index
    pid: Pid
    node_pid: Pid
    start_ns: Count
    comm: Text
    alive: bool
    minor_faults: Count
    major_faults: Count
    resident_bytes: Count
    resident_peak_bytes: Count


@dataclass(frozen=True, kw_only=True)
class MemoryProcesses:
    """Processes by their memory, as `Files`; ended ones too."""

    rows: tuple[MemoryProcessRow, ...]


@dataclass(frozen=True, kw_only=True)
class CgroupMemoryRow:
    """The memory of a scope's cgroup as its controller tells it, read each second.

    `limit_bytes` is the lowest limit of the cgroup and those above it, 0 if there is none. `peak_bytes` is the most
    that was used during the trace: `peak_is_exact` where the controller's own record rose in that time, else the most
    that was read. The working set is what is used less what was cached and not used lately: the kernel takes that back
    first. `oom_kills` are those of the controller's count since the start.
    """

    scope: Index
    limit_bytes: Count
    current_bytes: Count
    peak_bytes: Count
    peak_is_exact: bool
    working_set_bytes: Count
    working_set_peak_bytes: Count
    oom_kills: Count


@dataclass(frozen=True, kw_only=True)
class CgroupMemory:
    """The scopes' cgroups; none where no memory controller is at work. Values rise and fall."""

    rows: tuple[CgroupMemoryRow, ...]
