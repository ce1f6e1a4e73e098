"""Tables for a page that can order and filter them: the rows at first, and all rows with their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kubectl_podtrace.report.document import Name, Row, Table
from kubectl_podtrace.units import Amount


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row: its cells but for what continues the name in the last one, which is `lines`."""

    cells: Row
    lines: tuple[str, ...] = ()


def entries(rows: Iterable[Row]) -> tuple[Entry, ...]:
    """Rows, those that go on with the name above them put into its row."""
    found: list[tuple[Row, list[str]]] = []
    for row in rows:
        if found and len(row) > 1 and not any(row[:-1]):
            found[-1][1].append(row[-1].removeprefix("  "))
        else:
            found.append((row, []))
    return tuple(Entry(cells=row, lines=tuple(lines)) for row, lines in found)


def payload(table: Table) -> dict[str, Any]:
    """All rows for a script: texts, and by column the numbers behind them where the text does not say the number.

    A name that goes on over several lines is a list of them.
    """
    found = entries(table.rows if table.every is None else table.every)
    rows = [[*each.cells[:-1], [each.cells[-1], *each.lines] if each.lines else each.cells[-1]] for each in found]
    columns = [_numbers([each.cells[place] for each in found]) for place in range(len(table.columns))]
    numbers = {str(place): column for place, column in enumerate(columns) if column}
    return {"rows": rows, "numbers": numbers, **({"other": list(table.other)} if table.other else {})}


def _numbers(cells: Sequence[str]) -> list[float | None] | None:
    """The numbers of a column; None where each cell is its number, or none has one."""
    if all(isinstance(cell, Name) or not isinstance(cell, Amount) or cell == f"{cell.value:,}" for cell in cells):
        return None
    return [_number(cell) for cell in cells]


def _number(cell: str) -> float | None:
    if not isinstance(cell, Amount):
        return None
    # So much tells any two apart whose order anybody can see.
    return cell.value if isinstance(cell.value, int) else float(f"{cell.value:.9g}")
