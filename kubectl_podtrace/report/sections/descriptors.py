"""The readable words on descriptors; they stand among the system calls of processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubectl_podtrace import units
from kubectl_podtrace.analysis.descriptors import DescriptorKind, Descriptors, Leak
from kubectl_podtrace.report.document import Name, Row, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE, SHOWN, first_rows, number_or_dash
from kubectl_podtrace.report.sections.stacks import path_text

FULLEST_SHOWN = 3
STACKS_SHOWN = 3
"""So many are shown of a leak."""


def open_and_close(section: Descriptors) -> tuple[str, str]:
    """How many descriptors were opened and closed, and how many opens failed: a name and its text."""
    text = (
        f"{units.counted(section.opened, 'descriptor')} opened, "
        f"{units.count(section.closed)} closed, "
        f"{units.count(section.ended_with_process)} ended with their process, "
        f"{units.counted(section.failed_opens, 'open')} failed"
    )
    return "open and close", text


def leaks(section: Descriptors) -> tuple[tuple[str, str], ...]:
    """How many kinds of descriptors of how many processes keep growing; nothing where that is not known."""
    if section.leaks is None:
        return ()
    estimated = units.counted(section.estimated_tables, "table")
    note = f" (kinds estimated in {estimated}, too large to look through)" if section.estimated_tables else ""
    processes = len({leak.node_pid for leak in section.leaks})
    found = f"in {units.counted(processes, 'process', 'processes')}, see below" if section.leaks else "none"
    if not section.leaks and section.ended_with_process and not section.fullest:
        # A leak is a living process's: what the others had open has ended with them.
        found = "not told: no process was alive in the end, and what they had open ended with them"
    return (("descriptor leaks", found + note),)


def has_any(section: Descriptors) -> bool:
    """Was anything opened or closed, or tried to be?"""
    return bool(section.opened or section.closed or section.ended_with_process or section.failed_opens)


def by_kind(section: Descriptors) -> tuple[Table, ...]:
    """What was opened and closed of each kind; none when nothing was, or when the kinds are not known."""
    if section.by_kind is None:
        return ()
    kinds = section.by_kind
    named = (("file", kinds.file), ("socket", kinds.socket), ("pipe", kinds.pipe), ("other", kinds.other))
    rows = tuple(_row(name, kind) for name, kind in named if _is_used(kind))
    if not rows:
        return ()
    return (
        Table(columns=(left("descriptors"), *right("opened", "closed", "ended with process", "growth")), rows=rows),
    )


def _is_used(kind: DescriptorKind) -> bool:
    return bool(kind.opened or kind.closed or kind.ended_with_process or kind.growth)


def fullest(section: Descriptors) -> tuple[Table, ...]:
    """The processes nearest to their limits."""
    rows = tuple(
        (
            str(table.pid),
            units.count(table.open),
            units.count(table.limit),
            units.ratio(table.share_ratio),
            Name(table.comm),
        )
        for table in section.fullest
    )
    if not rows:
        return ()
    columns = (*right("pid", "descriptors open", "limit", "share"), left("process"))
    return (first_rows(columns, rows, most=FULLEST_SHOWN),)


def leaking(section: Descriptors) -> tuple[Table, ...]:
    """What keeps growing, how long it can, and what opens it."""
    if not section.leaks:
        return ()
    columns = (*right("pid", "leak of", "growth", "open", "limit", "exhausted in"), left("process"))
    return (first_rows(columns, tuple(map(_leak, section.leaks))), *_openers(section.leaks))


def _openers(leaks: Sequence[Leak]) -> tuple[Table, ...]:
    brief: list[Row] = []
    for leak in leaks[:SHOWN]:
        for place, (count, name) in enumerate(_opened_in(leak, STACKS_SHOWN)):
            brief.append((*((str(leak.pid), leak.kind) if not place else ("", "")), units.count(count), name))
    if not brief:
        return ()
    every = tuple(
        (str(leak.pid), leak.kind, units.count(count), name) for leak in leaks for count, name in _opened_in(leak)
    )
    columns = (*right("pid", "leak of", "still open"), left("opened in, with its callers"))
    return (Table(columns=columns, rows=tuple(brief), every=every),)


def _opened_in(leak: Leak, most: int | None = None) -> Iterator[tuple[int, str]]:
    """How many were opened through which functions, as far as that is known; at most so many of these."""
    if leak.stack is None:
        return
    yield leak.stack_open, Name(path_text(leak.stack))
    shown = leak.other_stacks if most is None else leak.other_stacks[: most - 1]
    for other in shown:
        yield other.open, Name(path_text(other.frames))
    rest = leak.followed_open - leak.stack_open - sum(other.open for other in shown)
    if rest > 0:
        yield rest, "(elsewhere)"
    if leak.growth > leak.followed_open:
        yield leak.growth - leak.followed_open, "(before it was seen to grow)"


def _leak(leak: Leak) -> tuple[str, ...]:
    return (
        str(leak.pid),
        leak.kind,
        units.growth(leak.growth),
        units.count(leak.open),
        NONE if leak.limit is None else units.count(leak.limit),
        NONE if leak.exhausted_in_s is None else units.seconds(leak.exhausted_in_s),
        Name(leak.comm),
    )


def _row(name: str, kind: DescriptorKind) -> tuple[str, ...]:
    return (
        name,
        number_or_dash(kind.opened),
        number_or_dash(kind.closed),
        number_or_dash(kind.ended_with_process),
        NONE if kind.growth is None else units.growth(kind.growth),
    )
