"""Memory: page faults, kills by the kernel, and how near each container came to its limit."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import LISTED, OTHER, Selection
from kubectl_podtrace.wire.memory_records import CgroupMemory, CgroupMemoryRow, MemoryProcesses


@dataclass(frozen=True, kw_only=True)
class ContainerMemory:
    """The memory of a container's cgroup; `limit_bytes` and `used_ratio` are null without a limit.

    `current_bytes` is its use at the end, `peak_bytes` the most during the trace: exact where `peak_is_exact`, else the
    most that was read once a second. The working set is the use less what the kernel takes back first; `used_ratio` is
    the most of it against the limit. `oom_kills` are those that the memory controller counted.
    """

    container: str
    limit_bytes: int | None
    current_bytes: int
    peak_bytes: int
    peak_is_exact: bool
    working_set_bytes: int
    working_set_peak_bytes: int
    used_ratio: float | None
    oom_kills: int


@dataclass(frozen=True, kw_only=True)
class MemoryProcess:
    """A process by its pid in the container, `node_pid` on the node. `(other)`, pid 0, holds all not listed.

    `resident_bytes` is what it had resident at the end (0: it has ended), `resident_peak_bytes` the most that was read.
    """

    pid: int
    node_pid: int
    comm: str
    minor_faults: int
    major_faults: int
    resident_bytes: int
    resident_peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The section `memory`. Limit, use and peak are those of the container that came nearest to its limit, or, where
    none has one, of the largest; null where no memory controller is at work.
    """

    minor_faults: int
    minor_faults_per_s: float
    major_faults: int
    major_faults_per_s: float
    oom_kills: int
    limit_bytes: int | None
    current_bytes: int | None
    peak_bytes: int | None
    peak_is_exact: bool | None
    working_set_peak_bytes: int | None
    used_ratio: float | None
    containers: tuple[ContainerMemory, ...]
    processes: tuple[MemoryProcess, ...]
    partial: tuple[Partial, ...]


def memory(selection: Selection) -> Memory:
    """The section `memory` of the selected scopes."""
    minor, major = selection.of("memory.minor_fault").count, selection.of("memory.major_fault").count
    containers = _containers(selection)
    fullest = containers[0] if containers else None
    return Memory(
        minor_faults=minor,
        minor_faults_per_s=selection.per_s(minor),
        major_faults=major,
        major_faults_per_s=selection.per_s(major),
        oom_kills=selection.of("memory.oom_kill").count,
        limit_bytes=fullest.limit_bytes if fullest else None,
        current_bytes=fullest.current_bytes if fullest else None,
        peak_bytes=fullest.peak_bytes if fullest else None,
        peak_is_exact=fullest.peak_is_exact if fullest else None,
        working_set_peak_bytes=fullest.working_set_peak_bytes if fullest else None,
        used_ratio=fullest.used_ratio if fullest else None,
        containers=containers,
        processes=_processes(selection, minor=minor, major=major),
        partial=selection.partial_of("memory"),
    )


def _containers(selection: Selection) -> tuple[ContainerMemory, ...]:
    """The nearest to its limit first."""
    found = [_container(row, selection.scope_names.get(row.scope, "")) for row in selection.rows(CgroupMemory)]
    return tuple(
        sorted(found, key=lambda each: (-(each.used_ratio or 0.0), -each.working_set_peak_bytes, each.container))[
            :LISTED
        ]
    )


def _container(row: CgroupMemoryRow, name: str) -> ContainerMemory:
    return ContainerMemory(
        container=name,
        limit_bytes=row.limit_bytes or None,
        current_bytes=row.current_bytes,
        peak_bytes=row.peak_bytes,
        peak_is_exact=row.peak_is_exact,
        working_set_bytes=row.working_set_bytes,
        working_set_peak_bytes=row.working_set_peak_bytes,
        used_ratio=row.working_set_peak_bytes / row.limit_bytes if row.limit_bytes else None,
        oom_kills=row.oom_kills,
    )


def _processes(selection: Selection, *, minor: int, major: int) -> tuple[MemoryProcess, ...]:
    rows = sorted(
        selection.rows(MemoryProcesses),
        key=lambda row: (-row.resident_peak_bytes, -row.major_faults, -row.minor_faults, row.node_pid, row.start_ns),
    )[:LISTED]
    listed = [
        MemoryProcess(
            pid=row.pid,
            node_pid=row.node_pid,
            comm=row.comm,
            minor_faults=row.minor_faults,
            major_faults=row.major_faults,
            resident_bytes=row.resident_bytes,
            resident_peak_bytes=row.resident_peak_bytes,
        )
        for row in rows
    ]
    # A process's own counters can be ahead of the totals, which travel before them.
    rest = (
        max(minor - sum(row.minor_faults for row in rows), 0),
        max(major - sum(row.major_faults for row in rows), 0),
    )
    if any(rest):
        listed.append(
            MemoryProcess(
                pid=0, node_pid=0, comm=OTHER, minor_faults=rest[0], major_faults=rest[1], resident_bytes=0,
                resident_peak_bytes=0,
            )
        )  # fmt: skip
    return tuple(listed)
