"""The readable words on descriptors; they stand among the system calls of processes."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.descriptors import DescriptorKind, Descriptors
from kubectl_podtrace.report.document import Table, left, right
from kubectl_podtrace.report.sections.cells import NONE, number_or_dash


def open_and_close(section: Descriptors) -> tuple[str, str]:
    """How many descriptors were opened and closed, and how many opens failed: a name and its text."""
    text = (
        f"{units.counted(section.opened, 'descriptor')} opened, "
        f"{units.count(section.closed)} closed, "
        f"{units.count(section.ended_with_process)} ended with their process, "
        f"{units.counted(section.failed_opens, 'open')} failed"
    )
    return "open and close", text


def has_any(section: Descriptors) -> bool:
    """Was anything opened or closed, or tried to be?"""
    return bool(section.opened or section.closed or section.ended_with_process or section.failed_opens)


def by_kind(section: Descriptors) -> tuple[Table, ...]:
    """What was opened and closed of each kind; none when nothing was, or when the kinds are not known."""
    if section.by_kind is None:
        return ()
    kinds = section.by_kind
    named = (("file", kinds.file), ("socket", kinds.socket), ("pipe", kinds.pipe), ("other", kinds.other))
    rows = tuple(_row(name, kind) for name, kind in named if kind.opened or kind.closed or kind.ended_with_process)
    if not rows:
        return ()
    return (
        Table(columns=(left("descriptors"), *right("opened", "closed", "ended with process", "growth")), rows=rows),
    )


def _row(name: str, kind: DescriptorKind) -> tuple[str, ...]:
    return (
        name,
        number_or_dash(kind.opened),
        number_or_dash(kind.closed),
        number_or_dash(kind.ended_with_process),
        NONE if kind.growth is None else f"{kind.growth:+,}",
    )
