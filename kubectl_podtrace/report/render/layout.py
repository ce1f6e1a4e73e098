"""Sections as lines of a fixed width: aligned tables, labels in a column, long names folded at their separators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.report.document import Column, Facts, Name, Section, Table
from kubectl_podtrace.report.text import plain

INDENT: Final = 2
GAP: Final = 2
NARROWEST: Final = 20
"""A folded column is never narrower; its lines are longer than the page instead."""
_UNITS: Final = frozenset({"%", "ns", "µs", "ms", "s", "min", "h", "B", "KiB", "MiB", "GiB", "KiB/s", "MiB/s", "GiB/s"})
_SEPARATORS: Final = frozenset(",;:-_.=&?")


@dataclass(frozen=True, kw_only=True)
class Span:
    """A piece of a line and what it is: `text`, `title`, `head`, `label` or `name`."""

    text: str
    role: str = "text"


Spans = tuple[Span, ...]


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def lay_out(section: Section, width: int | None) -> Iterator[Spans]:
    """A section's lines; `width` None folds nothing."""
    if not section.blocks:
        indent = len(section.title) + GAP
        for number, line in enumerate(fold(section.empty, None if width is None else width - indent)):
            head = (Span(text=section.title, role="title"), Span(text=" " * GAP))
            yield (*(head if number == 0 else (Span(text=" " * indent),)), Span(text=line))
        return
    yield (Span(text=section.title, role="title"),)
    for number, block in enumerate(section.blocks):
        if number:
            yield ()
        yield from lay_out_facts(block, width) if isinstance(block, Facts) else _lay_out_table(block, width)


def lay_out_facts(facts: Facts, width: int | None, *, indent: int = INDENT) -> Iterator[Spans]:
    """Labels in a column, values beside them, folded under themselves."""
    column = max(cells(label) for label, _ in facts.pairs)
    start = indent + column + GAP
    for label, value in facts.pairs:
        for number, line in enumerate(fold(value, None if width is None else width - start)):
            shown = label if number == 0 else ""
            padding = " " * (column - cells(shown) + GAP)
            yield (Span(text=" " * indent + shown + padding, role="label"), Span(text=line))


def fold(text: str, width: int | None) -> list[str]:
    """A text in lines of at most `width` columns, broken after a separator where there is one in the second half."""
    shown = plain(text)
    if width is None or cells(shown) <= max(width, NARROWEST):
        return [shown]
    limit = max(width, NARROWEST)
    lines: list[str] = []
    while cells(shown) > limit:
        fitting = _fitting(shown, limit)
        cut = _break(shown, fitting)
        lines.append(shown[:cut].rstrip())
        shown = shown[cut:].lstrip(" ")
    return [*lines, shown] if shown else lines


def _fitting(text: str, limit: int) -> int:
    """How many characters fit."""
    used = 0
    for position, character in enumerate(text):
        used += cells(character)
        if used > limit:
            return max(position, 1)
    return len(text)


def _break(text: str, fitting: int) -> int:
    for position in range(fitting, fitting // 2, -1):
        if text[position : position + 1] == " " and not _belongs_together(text, position):
            return position
    for wanted in ("/", _SEPARATORS):
        for position in range(fitting, fitting // 2, -1):
            if text[position - 1] in wanted:
                return position
    return fitting


def _belongs_together(text: str, position: int) -> bool:
    """Whether the space at a position stands between a number and its unit, or a name and its count."""
    before, after = text[:position].rpartition(" ")[2], text[position + 1 :].partition(" ")[0].rstrip(",;:.)")
    if after in _UNITS:
        return True
    return after.replace(",", "").isdigit() and before.isupper()


def _lay_out_table(table: Table, width: int | None) -> Iterator[Spans]:
    titles = tuple(column.title for column in table.columns)
    rows = [tuple(cell if isinstance(cell, Name) else plain(cell) for cell in row) for row in table.rows]
    widths = [
        max(cells(text) for text in (title, *(plain(row[number]) for row in rows)))
        for number, title in enumerate(titles[:-1])
    ]
    used = INDENT + sum(column_width + GAP for column_width in widths)
    last = table.columns[-1]
    room = None if width is None or last.right else width - used
    if last.right:
        widths.append(max(cells(text) for text in (titles[-1], *(row[-1] for row in rows))))
    yield _line(titles, table.columns, widths, role="head")
    for row in rows:
        folded = [row[-1]] if last.right else fold(row[-1], room)
        yield _line((*row[:-1], folded[0]), table.columns, widths, role="text")
        for rest in folded[1:]:
            yield (Span(text=" " * used), Span(text=rest, role="name"))


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int], *, role: str) -> Spans:
    spans = [Span(text=" " * INDENT)]
    for number, (cell, column) in enumerate(zip(row, columns, strict=True)):
        shown = plain(cell)
        padding = " " * (widths[number] - cells(shown)) if number < len(widths) else ""
        if number == len(columns) - 1 and not column.right:
            padding = ""
        text = padding + shown if column.right else shown + padding
        gap = " " * GAP if number < len(columns) - 1 else ""
        named = isinstance(cell, Name) or (number == len(columns) - 1 and not column.right)
        spans.append(Span(text=text + gap, role=role if role == "head" or not named else "name"))
    return tuple(spans)
