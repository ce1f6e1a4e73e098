"""Processes: who was active, what was started, and how processes ended."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import LISTED, OTHER, Selection
from kubectl_podtrace.wire import records


@dataclass(frozen=True, kw_only=True)
class TopProcess:
    """A process by its pid in the container, `node_pid` on the node. `(other)`, pid 0, holds all not listed."""

    pid: int
    node_pid: int
    comm: str
    events: int
    share_ratio: float


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How many processes of a name ended with an exit code, or (then `signal` is not 0) by a signal."""

    comm: str
    code: int
    signal: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Processes:
    """The section `processes`; `active` ones did at least one counted operation."""

    active: int
    top: tuple[TopProcess, ...]
    exec: int
    fork_processes: int
    fork_threads: int
    exec_errors: dict[str, int]
    exits: tuple[Exit, ...]
    partial: tuple[Partial, ...]


def processes(selection: Selection) -> Processes:
    """The section `processes` of the selected scopes."""
    executed = selection.of("processes.exec")
    return Processes(
        active=sum(row.events > 0 for row in selection.rows(records.Processes)),
        top=_top(selection),
        exec=executed.count - executed.errors,
        fork_processes=selection.of("processes.fork_process").count,
        fork_threads=selection.of("processes.fork_thread").count,
        exec_errors=selection.errors_by_name("processes.exec"),
        exits=_exits(selection),
        partial=selection.partial_of("processes"),
    )


def _top(selection: Selection) -> tuple[TopProcess, ...]:
    total = selection.events
    active = [row for row in selection.rows(records.Processes) if row.events]
    listed = sorted(active, key=lambda row: (-row.events, row.node_pid, row.start_ns))[:LISTED]
    # A process's own counter can be a second ahead of the totals.
    total = max(total, sum(row.events for row in listed))
    top = [
        TopProcess(pid=row.pid, node_pid=row.node_pid, comm=row.comm, events=row.events, share_ratio=row.events / total)
        for row in listed
    ]
    rest = total - sum(row.events for row in listed)
    if rest:
        top.append(TopProcess(pid=0, node_pid=0, comm=OTHER, events=rest, share_ratio=rest / total))
    return tuple(top)


def _exits(selection: Selection) -> tuple[Exit, ...]:
    sums: dict[tuple[str, int, int], int] = {}
    for row in selection.rows(records.Exits):
        key = (row.comm, row.code, row.signal)
        sums[key] = sums.get(key, 0) + row.count
    every = [Exit(comm=comm, code=code, signal=number, count=count) for (comm, code, number), count in sums.items()]
    listed = sorted(every, key=lambda exit_: (-exit_.count, exit_.comm, exit_.code, exit_.signal))[:LISTED]
    rest = selection.of("processes.exit").count - sum(exit_.count for exit_ in listed)
    if rest > 0:
        listed.append(Exit(comm=OTHER, code=0, signal=0, count=rest))
    return tuple(listed)
