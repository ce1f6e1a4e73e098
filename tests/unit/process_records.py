"""What a tracer tells of the lives and the memory of processes, from numbers that a test chooses."""

from __future__ import annotations

from kubectl_podtrace.wire.lifecycle_records import LifetimeRow, Lifetimes
from kubectl_podtrace.wire.memory_records import CgroupMemory, CgroupMemoryRow, MemoryProcesses, MemoryProcessRow
from kubectl_podtrace.wire.records import Record, Totals
from tests.unit.streams import SECOND, STARTED, totals_row


def lifetime_row(comm: str, *, code: int = 0, signal: int = 0, scope: int = 0, **numbers: int) -> LifetimeRow:
    """Processes that ended this way, the first one a second after the start; what is not named is 0, `count` 1."""
    names = {"count": 1, "oom_kills": 0, "lifetime_ns": 0, "longest_ns": 0}
    times = {"first_ns": STARTED + SECOND, "last_ns": STARTED + SECOND}
    return LifetimeRow(scope=scope, comm=comm, code=code, signal=signal, **{**names, **times, **numbers})


def lifecycle_records() -> tuple[Record, ...]:
    """How long the shells of the shop lived: one was killed for memory."""
    rows = (
        lifetime_row("sh", count=2, lifetime_ns=3 * SECOND, longest_ns=2 * SECOND),
        lifetime_row("sh", signal=9, oom_kills=1, lifetime_ns=7 * SECOND, longest_ns=7 * SECOND),
    )
    return (Lifetimes(rows=rows),)


def memory_records() -> tuple[Record, ...]:
    """Two processes, one of which ended, in a container that came near to its limit."""
    processes = ((1, 40_001, 5, "shop", True, 101, 3, 70 << 20), (31, 40_400, 7, "sh", False, 53, 0, 1 << 20))
    return (
        Totals(rows=(totals_row("memory.minor_fault", count=211), totals_row("memory.major_fault", count=3))),
        MemoryProcesses(
            rows=tuple(
                MemoryProcessRow(
                    scope=0, pid=pid, node_pid=node_pid, start_ns=start_ns, comm=comm, alive=alive, minor_faults=minor,
                    major_faults=major, resident_bytes=size if alive else 0, resident_peak_bytes=size,
                )
                for pid, node_pid, start_ns, comm, alive, minor, major, size in processes
            )
        ),
        CgroupMemory(rows=(cgroup_row(limit_bytes=128 << 20, working_set_peak_bytes=96 << 20, peak_bytes=120 << 20),)),
    )  # fmt: skip


def cgroup_row(*, scope: int = 0, peak_is_exact: bool = True, **numbers: int) -> CgroupMemoryRow:
    """A cgroup's memory; what is not named is 0."""
    names = (
        "limit_bytes", "current_bytes", "peak_bytes", "working_set_bytes", "working_set_peak_bytes", "oom_kills",
    )  # fmt: skip
    return CgroupMemoryRow(scope=scope, peak_is_exact=peak_is_exact, **{**dict.fromkeys(names, 0), **numbers})
