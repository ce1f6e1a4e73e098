"""The readable section of locks: what threads waited for each other for, and who kept them waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubectl_podtrace import units
from kubectl_podtrace.analysis.locks import LockHotspot, Locks
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.document import Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE, SHOWN, latency_table, number_or_dash
from kubectl_podtrace.report.sections.stacks import path_text

OTHERS_SHOWN = 5
STACKS_SHOWN = 5
"""So many words have a line or two about the threads at them."""


def locks(section: Locks) -> Section:
    """All waits in futex calls; locks that another thread held; conditions, semaphores and idle threads apart."""
    if not section.waits.count:
        return Section(title="Locks", blocks=(), empty="no thread waited for another one")
    contended = [hotspot for hotspot in section.hotspots if hotspot.kind == "lock"]
    others = [hotspot for hotspot in section.hotspots if hotspot.kind == "other"]
    timeouts = f"{units.counted(section.timeouts, 'wait')} of {units.count(section.waits.count)}"
    facts = Facts(pairs=(("ended by a time-out", timeouts),))
    waits = (("a lock that was held", section.contended), ("anything in a futex", section.waits))
    return Section(
        title="Locks",
        blocks=(
            facts,
            *latency_table(waits, title="waits for"),
            *_hotspots("locks that were held", contended, SHOWN),
            *_hotspots("conditions, semaphores, idle", others, OTHERS_SHOWN),
        ),
    )


def _hotspots(title: str, entries: Sequence[LockHotspot], most: int) -> tuple[Table, ...]:
    if not entries:
        return ()
    named = [entry for entry in entries if entry.address != OTHER]
    other = [entry for entry in entries if entry.address == OTHER]
    rest = [*named[most:], *other]
    rows: list[Row] = []
    for place, entry in enumerate(named[:most]):
        rows.extend(_rows(entry) if place < STACKS_SHOWN else _rows(entry)[:1])
    if rest:
        rows.append(_together(rest))
    columns = (*right("waited", "waits", "longest", "timed out", "threads", "pid"), left(title))
    every = tuple(row for entry in named for row in _rows(entry))
    return (Table(columns=columns, rows=tuple(rows), every=every, other=_together(other) if other else None),)


def _rows(entry: LockHotspot) -> list[Row]:
    """A row of numbers, and lines about the threads there."""
    numbers = (
        units.duration(entry.total_wait_ns),
        units.count(entry.waits),
        units.duration(entry.max_wait_ns),
        number_or_dash(entry.timeouts),
        units.count(entry.waiters),
        str(entry.pid),
    )
    lines: list[Row] = [(*("",) * len(numbers), Name(f"  {line}")) for line in _about(entry)]
    return [(*numbers, Name(entry.symbol or entry.address)), *lines]


def _together(rest: Sequence[LockHotspot]) -> Row:
    waits, total_ns = sum(entry.waits for entry in rest), sum(entry.total_wait_ns for entry in rest)
    return (units.duration(total_ns), units.count(waits), *(NONE,) * 4, Name(OTHER))


def _about(entry: LockHotspot) -> Iterator[str]:
    """Where it is waited for, and who ends that most."""
    if entry.stack:
        yield f"waited for in {path_text(entry.stack)}"
    if entry.holder:
        ends = "held" if entry.kind == "lock" else "ended"
        place = f" in {path_text(entry.holder.stack)}" if entry.holder.stack else ""
        yield f"mostly {ends} by {entry.holder.comm} ({entry.holder.tid}){place}"
