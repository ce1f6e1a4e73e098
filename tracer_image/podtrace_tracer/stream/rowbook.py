"""Which rows of a keyed table travel now: while the trace runs the top ones that changed, at its end all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from podtrace_tracer.readers.model import TOP


class RowBook:
    """Remembers what was sent of one table. `ranks` are the orders by which rows are the top ones."""

    def __init__(self, *ranks: Callable[[Any], int], top: int = TOP) -> None:
        self._ranks = ranks
        self._top = top
        self._sent: dict[Hashable, Any] = {}

    def changed(self, rows: Mapping[Any, Any]) -> list[Any]:
        """The top rows that differ from what was sent last."""
        top: dict[Hashable, Any] = {}
        for rank in self._ranks:
            top.update(_first(rows, rank, self._top))
        fresh = [row for key, row in top.items() if self._sent.get(key) != row]
        self._sent = top
        return fresh

    def forget(self) -> None:
        """What was sent goes out again at the next turn."""
        self._sent.clear()

    def ordered(self, rows: Iterable[Any]) -> list[Any]:
        """All rows, the most important first."""
        return sorted(rows, key=self._ranks[0], reverse=True)


def _first(rows: Mapping[Any, Any], rank: Callable[[Any], int], most: int) -> list[tuple[Any, Any]]:
    return sorted(rows.items(), key=lambda item: -rank(item[1]))[:most]
