"""Cells and lists that several sections share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from kubectl_podtrace import units
from kubectl_podtrace.analysis.selection import OTHER, Dist
from kubectl_podtrace.report.document import Column, Row, Table, left, right

SHOWN: Final = 10
"""So many entries of a list are shown on screen; other formats hold more."""
NONE: Final = "-"

Entry = TypeVar("Entry")

LATENCY_COLUMNS: Final[tuple[Column, ...]] = right("avg", "p50", "p95", "p99", "max")


def latency_cells(dist: Dist) -> tuple[str, ...]:
    """The cells under `LATENCY_COLUMNS`; dashes where nothing was timed."""
    if not dist.count:
        return (NONE,) * len(LATENCY_COLUMNS)
    return tuple(units.duration(ns) for ns in (dist.avg_ns, dist.p50_ns, dist.p95_ns, dist.p99_ns, dist.max_ns))


def latency_table(rows: Sequence[tuple[str, Dist]], *, title: str = "latency") -> tuple[Table, ...]:
    """A table of distributions, those with durations; none when there is none."""
    timed = [(name, dist) for name, dist in rows if dist.count]
    if not timed:
        return ()
    return (
        Table(
            columns=(left(title), *right("timed"), *LATENCY_COLUMNS),
            rows=tuple((name, units.count(dist.count), *latency_cells(dist)) for name, dist in timed),
        ),
    )


def tally(numbers: Mapping[str, int]) -> str:
    """Names and how often each, as a list."""
    return ", ".join(f"{name} {units.count(number)}" for name, number in numbers.items())


def top_tally(numbers: Mapping[str, int]) -> str:
    """The first names and how often each, and all others added up."""
    named = [(name, number) for name, number in numbers.items() if name != OTHER]
    rest = numbers.get(OTHER, 0) + sum(number for _, number in named[SHOWN:])
    return tally({**dict(named[:SHOWN]), OTHER: rest} if rest else dict(named[:SHOWN]))


def number_or_dash(number: int) -> str:
    """A count; a dash for none, so that what happened stands out."""
    return units.count(number) if number else NONE


def listing(
    columns: tuple[Column, ...],
    entries: Sequence[Entry],
    name_field: str,
    row: Callable[[Entry], Row],
    together: Callable[[Sequence[Entry]], Row],
    *,
    most: int = SHOWN,
) -> Table:
    """The table of a list that may end with its own `(other)`: `row` draws an entry, `together` adds several up."""
    named = [entry for entry in entries if getattr(entry, name_field) != OTHER]
    other = [entry for entry in entries if getattr(entry, name_field) == OTHER]
    every = tuple(map(row, named))
    rest = [*named[most:], *other]
    rows = (*every[:most], together(rest)) if rest else every
    return Table(columns=columns, rows=rows, every=every, other=together(other) if other else None)


def first_rows(columns: tuple[Column, ...], every: Sequence[Row], *, most: int = SHOWN) -> Table:
    """The table of a list of which short formats show the first rows only."""
    return Table(columns=columns, rows=tuple(every[:most]), every=tuple(every))
