"""Descriptors: how many came to be and ceased to be, by kind; whose keep growing, and how near their limits are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.analysis.climbs import Climb
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import LISTED, Selection
from kubectl_podtrace.analysis.stacks import Frame, FrameBook
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.descriptor_records import (
    DescriptorOpenerRow,
    DescriptorOpeners,
    DescriptorTableRow,
    DescriptorTables,
)
from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS, DescriptorKindName


@dataclass(frozen=True, kw_only=True)
class DescriptorKind:
    """One kind. What ended with its process is not in `closed`.

    `growth`: what the living processes have open now, less what they had at the start; null where it is not known.
    """

    opened: int
    closed: int
    ended_with_process: int
    growth: int | None


@dataclass(frozen=True, kw_only=True)
class DescriptorKinds:
    """The four kinds: what has a path is a file; what is neither file, socket nor pipe has no name."""

    file: DescriptorKind
    socket: DescriptorKind
    pipe: DescriptorKind
    other: DescriptorKind


@dataclass(frozen=True, kw_only=True)
class FullTable:
    """How full a process's table is: what it has open of its RLIMIT_NOFILE."""

    pid: int
    node_pid: int
    comm: str
    open: int
    limit: int
    share_ratio: float


@dataclass(frozen=True, kw_only=True)
class OpenedThrough:
    """How many descriptors that are open came to be through one stack, `older` of them more than five seconds ago.

    `frames` are innermost first.
    """

    open: int
    older: int
    frames: tuple[Frame, ...]


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A kind of descriptors of which a living process has more and more.

    `exhausted_in_s` is the time until `limit` is reached if all of its descriptors go on as since the start; null if
    they do not grow together, or the limit is not known.

    `stack` is the one through which most were opened that stay open, innermost first; null where none is known.
    `stack_open` that are open came through it, of the `followed_open` that were opened since the kind was seen to grow.
    """

    pid: int
    node_pid: int
    comm: str
    kind: DescriptorKindName
    growth: int
    open: int
    limit: int | None
    exhausted_in_s: float | None
    stack: tuple[Frame, ...] | None = None
    stack_open: int = 0
    followed_open: int = 0
    other_stacks: tuple[OpenedThrough, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """The section `descriptors`. A tracer of an older version knows no kinds, and of opens the open family's only.

    `fullest` are the living processes nearest to their limits. `estimated_tables` of the living ones were too large to
    be looked through: their kinds are estimated, their sizes are not.
    """

    opened: int
    failed_opens: int
    closed: int
    ended_with_process: int
    by_kind: DescriptorKinds | None
    fullest: tuple[FullTable, ...]
    leaks: tuple[Leak, ...] | None
    estimated_tables: int
    partial: tuple[Partial, ...]


LEAK_WINDOWS: Final = 3
"""In so many windows of five seconds a leak has more than ever before."""


def descriptors(selection: Selection) -> Descriptors:
    """The section `descriptors` of the selected scopes."""
    opens, closes = selection.of("files.open"), selection.of("descriptors.close")
    tables = selection.rows(DescriptorTables)
    living = [row for row in tables if row.alive]
    kinds = {kind: _kind(selection, kind, living if tables else None) for kind in DESCRIPTOR_KINDS}
    opened = sum(kind.opened for kind in kinds.values())
    closed = sum(kind.closed for kind in kinds.values())
    by_kind = None if _is_older(selection, opened + closed) else DescriptorKinds(**kinds)
    return Descriptors(
        opened=opened if by_kind else opens.count - opens.errors,
        failed_opens=opens.errors,
        closed=closed if by_kind else closes.count - closes.errors,
        ended_with_process=sum(kind.ended_with_process for kind in kinds.values()),
        by_kind=by_kind,
        fullest=_fullest(living),
        leaks=_leaks(selection, living) if tables else None,
        estimated_tables=sum(row.sampled > 0 for row in living),
        partial=selection.partial_of("descriptors"),
    )


def _kind(selection: Selection, kind: str, living: list[DescriptorTableRow] | None) -> DescriptorKind:
    return DescriptorKind(
        opened=selection.of(f"descriptors.opened_{kind}").count,
        closed=selection.of(f"descriptors.closed_{kind}").count,
        ended_with_process=selection.of(f"descriptors.ended_{kind}").count,
        growth=None if living is None else sum(_growth(row, kind) for row in living),
    )


def _growth(row: DescriptorTableRow, kind: str) -> int:
    now: int = getattr(row, kind)
    first: int = getattr(row, f"first_{kind}")
    return now - first


def _open(row: DescriptorTableRow) -> int:
    return row.file + row.socket + row.pipe + row.other


def _fullest(living: list[DescriptorTableRow]) -> tuple[FullTable, ...]:
    limited = [row for row in living if row.limit]
    return tuple(
        FullTable(
            pid=row.pid,
            node_pid=row.node_pid,
            comm=row.comm,
            open=_open(row),
            limit=row.limit,
            # A limit can be lowered below what is open.
            share_ratio=min(1.0, _open(row) / row.limit),
        )
        for row in sorted(limited, key=lambda row: (-_open(row) / row.limit, row.node_pid))[:LISTED]
    )


def _leaks(selection: Selection, living: list[DescriptorTableRow]) -> tuple[Leak, ...]:
    openers = _openers(selection)
    book = FrameBook(selection)
    found = [
        _leak(row, kind, openers.get((row.scope, row.node_pid, row.start_ns, kind), []), book, selection.end_ns)
        for row in living
        for kind in DESCRIPTOR_KINDS
        if _is_leak(selection.climbs.of(row, kind), row, kind, selection.end_ns)
    ]
    return tuple(sorted(found, key=lambda leak: (-leak.growth, leak.node_pid, leak.kind))[:LISTED])


def _openers(selection: Selection) -> dict[tuple[int, int, int, str], list[DescriptorOpenerRow]]:
    """By process and kind, the stacks whose descriptors stay open first."""
    found: dict[tuple[int, int, int, str], list[DescriptorOpenerRow]] = {}
    rows: list[DescriptorOpenerRow] = [row for row in selection.rows(DescriptorOpeners) if row.open]
    for row in sorted(rows, key=lambda row: (-row.older, -row.open, row.key)):
        found.setdefault((row.scope, row.node_pid, row.start_ns, row.kind), []).append(row)
    return found


def _leak(
    row: DescriptorTableRow, kind: DescriptorKindName, openers: list[DescriptorOpenerRow], book: FrameBook, end_ns: int
) -> Leak:
    known = [opener for opener in openers if opener.frames]
    return Leak(
        pid=row.pid,
        node_pid=row.node_pid,
        comm=row.comm,
        kind=kind,
        growth=_growth(row, kind),
        open=_open(row),
        limit=row.limit or None,
        exhausted_in_s=_exhausted_in_s(row, end_ns),
        stack=book.frames(known[0].frames) if known else None,
        stack_open=known[0].open if known else 0,
        followed_open=sum(opener.open for opener in openers),
        other_stacks=tuple(
            OpenedThrough(open=opener.open, older=opener.older, frames=book.frames(opener.frames))
            for opener in known[1:]
        ),
    )


def _is_leak(climb: Climb | None, row: DescriptorTableRow, kind: str, end_ns: int) -> bool:
    """It climbed often enough, also in the later half of its time, and most of it is still there."""
    if climb is None or climb.windows < LEAK_WINDOWS:
        return False
    middle_ns = (row.since_ns + end_ns) // 2
    climbed = climb.highest - getattr(row, f"first_{kind}")
    return climb.passed_ns >= middle_ns and _growth(row, kind) * 2 >= climbed > 0


def _exhausted_in_s(row: DescriptorTableRow, end_ns: int) -> float | None:
    growth = sum(_growth(row, kind) for kind in DESCRIPTOR_KINDS)
    if not row.limit or growth <= 0 or end_ns <= row.since_ns:
        return None
    per_s = growth * SECOND_NS / (end_ns - row.since_ns)
    return max(0, row.limit - _open(row)) / per_s


def _is_older(selection: Selection, by_kind: int) -> bool:
    """Was there an open or a close, and none of any kind? A first version's tracer counted so."""
    opens, closes = selection.of("files.open"), selection.of("descriptors.close")
    return not by_kind and (opens.count > opens.errors or closes.count > closes.errors)
