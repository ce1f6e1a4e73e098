"""Locks: which words of memory threads waited for in futex calls, for how long, and who ended their waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import LISTED, OTHER, Dist, Selection
from kubectl_podtrace.analysis.stacks import Frame, FrameBook
from kubectl_podtrace.wire import lock_records

HotspotKind = Literal["lock", "other"]

MOSTLY: Final = 0.5
"""A word is a lock when more of its waits than this share were in the way of one."""


@dataclass(frozen=True, kw_only=True)
class LockHolder:
    """The thread that ended the longest time of waits; of a lock, the one that had held it. Numbers as its process.

    `waits` are those that it ended, `total_wait_ns` is how long they had lasted then. `stack` is where it ended a long
    one, innermost first; empty where it is not known.
    """

    tid: int
    node_tid: int
    comm: str
    waits: int
    total_wait_ns: int
    stack: tuple[Frame, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LockHotspot:
    """One word that threads of a process waited for. `address` is its place in the process, `(other)` all not listed.

    `symbol` is the variable that it is in, null where that has no name: on the heap, or in a stripped program.
    `waiters` are different threads, `max_waiters` the most that waited at once; `timeouts` are waits that ended by
    their time-out. `stack` is where a long wait stood, `holder` is null where nobody in the target ended any.
    """

    address: str
    symbol: str | None
    kind: HotspotKind
    pid: int
    node_pid: int
    comm: str
    waiters: int
    max_waiters: int
    waits: int
    timeouts: int
    total_wait_ns: int
    max_wait_ns: int
    stack: tuple[Frame, ...] = ()
    holder: LockHolder | None


@dataclass(frozen=True, kw_only=True)
class Locks:
    """The section `locks`. `waits` are all of them, `contended` those in the way of a lock that another one holds."""

    waits: Dist
    contended: Dist
    timeouts: int
    hotspots: tuple[LockHotspot, ...]
    partial: tuple[Partial, ...]


def locks(selection: Selection) -> Locks:
    """The section `locks` of the selected scopes: locks first, each kind by the time that was waited."""
    selection = selection.while_counted("cpu.lock")
    rows: list[lock_records.LockRow] = [row for row in selection.rows(lock_records.Locks) if row.waits]
    return Locks(
        waits=selection.latency("cpu.lock"),
        contended=selection.latency("locks.contended"),
        timeouts=selection.of("locks.timeout").count,
        hotspots=_hotspots(selection, rows),
        partial=selection.partial_of("locks"),
    )


def _kind(row: lock_records.LockRow) -> HotspotKind:
    return "lock" if row.held > MOSTLY * row.waits else "other"


def _hotspots(selection: Selection, rows: Sequence[lock_records.LockRow]) -> tuple[LockHotspot, ...]:
    ordered = sorted(rows, key=lambda row: (_kind(row) != "lock", -row.sum_ns, -row.waits, row.node_pid, row.address))
    listed = ordered[:LISTED]
    # Rows of single words can be ahead of the totals, which travel before them.
    total = selection.of("cpu.lock")
    rest = max(total.count - sum(row.waits for row in listed), 0)
    book = FrameBook(selection)
    found = [_hotspot(row, book) for row in listed]
    if rest:
        found.append(
            LockHotspot(
                address=OTHER,
                symbol=None,
                kind="other",
                pid=0,
                node_pid=0,
                comm="",
                waiters=0,
                max_waiters=0,
                waits=rest,
                timeouts=max(selection.of("locks.timeout").count - sum(row.timeouts for row in listed), 0),
                total_wait_ns=max(total.sum_ns - sum(row.sum_ns for row in listed), 0),
                max_wait_ns=max((row.max_ns for row in ordered[LISTED:]), default=0),
                stack=(),
                holder=None,
            )
        )
    return tuple(found)


def _hotspot(row: lock_records.LockRow, book: FrameBook) -> LockHotspot:
    return LockHotspot(
        address=f"{row.address:#x}",
        symbol=next((frame.symbol for frame in book.frames(row.variable)), None),
        kind=_kind(row),
        pid=row.pid,
        node_pid=row.node_pid,
        comm=row.comm,
        waiters=row.waiters,
        max_waiters=row.max_waiters,
        waits=row.waits,
        timeouts=row.timeouts,
        total_wait_ns=row.sum_ns,
        max_wait_ns=row.max_ns,
        stack=book.frames(row.frames),
        holder=_holder(row, book),
    )


def _holder(row: lock_records.LockRow, book: FrameBook) -> LockHolder | None:
    if not row.waker_waits:
        return None
    return LockHolder(
        tid=row.waker_tid,
        node_tid=row.waker_node_tid,
        comm=row.waker_comm,
        waits=row.waker_waits,
        total_wait_ns=row.waker_ns,
        stack=book.frames(row.waker_frames),
    )
