"""Rows of processes that have ended: a target that starts processes without end must not fill the tracer's memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from kubectl_podtrace.wire.records import LostRow
from podtrace_tracer.programs.bpf import Programs

MAX_ENDED: Final = 20_000


class EndedRows:
    """Keeps so many rows by key, and counts those that it lets go: of too many the idlest, by `rank`.

    What has ended may come back under its key: `added` makes one row of what was kept and what came later.
    """

    def __init__(
        self,
        rank: Callable[[Any], int],
        *,
        added: Callable[[Any, Any], Any] = lambda _, later: later,
        most: int = MAX_ENDED,
    ) -> None:
        self.rows: dict[Hashable, Any] = {}
        self._added = added
        self._rank = rank
        self._most = most
        self._let_go = 0

    def keep(self, rows: Mapping[Any, Any]) -> None:
        """Takes rows in."""
        self.rows.update(self._joined(rows))
        excess = len(self.rows) - self._most
        if excess > 0:
            # Some more than need be, so that they are not put in order at each turn.
            idlest_first = sorted(self.rows, key=lambda key: self._rank(self.rows[key]))
            for key in idlest_first[: excess + self._most // 10]:
                del self.rows[key]
                self._let_go += 1

    def over(self, rows: Mapping[Any, Any]) -> dict[Any, Any]:
        """All rows: these with what was kept of them, and the other ones that were kept."""
        return self.rows | self._joined(rows)

    def _joined(self, rows: Mapping[Any, Any]) -> dict[Any, Any]:
        return {key: self._added(self.rows[key], row) if key in self.rows else row for key, row in rows.items()}

    def take(self, programs: Programs, table: str, before_ns: int, row_of: Callable[[bytes, bytes], Any]) -> None:
        """Moves the processes that ended before a moment out of a map: there is room then for the next ones."""
        layout = programs.value_layout(table)
        rows = {}
        for key, values in list(programs.items(table)):
            if 0 < layout.unsigned("ended_ns", values[0]) < before_ns:
                programs.delete(table, key)
                rows[key] = row_of(key, values[0])
        self.keep(rows)

    def dropped(self, topic: str, remainder: str) -> tuple[LostRow, ...]:
        """The rows that were let go; `remainder` says where what they counted still is."""
        if not self._let_go:
            return ()
        return (LostRow(source=f"ended processes beyond {self._most}: {remainder}", topic=topic, count=self._let_go),)
