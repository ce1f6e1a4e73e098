"""What goes out when: totals each second, tables and everything when they are due, and everything at the end."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from kubectl_podtrace.wire.codec import split_rows
from kubectl_podtrace.wire.records import (
    Errors,
    Exits,
    Heartbeat,
    Record,
    Totals,
    TotalsRow,
)
from podtrace_tracer.programs.map_values import merged
from podtrace_tracer.readers.model import KeyedTable, TopicReader
from podtrace_tracer.readers.tables import Tables
from podtrace_tracer.stream.emit import Emitter, suppressed_rows
from podtrace_tracer.stream.event_room import EVENT_BYTES_PER_S
from podtrace_tracer.stream.pace import Pace
from podtrace_tracer.stream.rowbook import RowBook

FINAL_BYTES_PER_TABLE: Final = 512 * 1024


class Snapshots:
    """Turns the tables into the records that are due."""

    def __init__(self, tables: Tables, emitter: Emitter, *, readers: Sequence[TopicReader] = ()) -> None:
        self._tables = tables
        self._readers = readers
        self._emitter = emitter
        self._totals: dict[tuple[int, str], TotalsRow] = {}
        self._histograms_of: dict[tuple[int, str], int] = {}
        self._errors: frozenset[Any] = frozenset()
        self._exits: frozenset[Any] = frozenset()
        self._books: dict[type[Any], RowBook] = {}

    def last_look(self) -> None:
        """Lets the readers look at what changes from outside, while the programs still count."""
        for reader in self._readers:
            reader.last_look()

    def turn(self, scopes: list[int], pace: Pace, repeat: Callable[[], int]) -> None:
        """One second with what is due in it. `repeat` says again what holds all the time, and returns its bytes."""
        if pace.repeat_is_due:
            self.repeat_all()
            pace.repeated(repeat() + self.second(scopes, refresh=True, event_bytes=pace.event_bytes))
        elif pace.refresh_is_due:
            pace.refreshed(self.second(scopes, refresh=True, event_bytes=pace.event_bytes))
        else:
            self.second(scopes, refresh=False, sets=pace.is_young, event_bytes=pace.event_bytes)

    def second(
        self, scopes: list[int], *, refresh: bool, sets: bool = True, event_bytes: int = EVENT_BYTES_PER_S
    ) -> int:
        """Totals that changed, with `sets` errors and exits, with `refresh` the other tables, its heartbeat.

        Returns the bytes of the tables.
        """
        for reader in self._readers:
            reader.second()
        totals = self._read_totals(scopes)
        changed = [row for key, row in totals.items() if self._totals.get(key) != row]
        self._totals = totals
        self._emitter.emit_all(split_rows(Totals, changed))
        size = self._emit_changed_sets() if sets else 0
        self._tables.drain_ended()
        if refresh:
            size += self._refresh()
        self._emitter.emit(self.heartbeat())
        self._emitter.next_second(event_bytes)
        return size

    def _refresh(self) -> int:
        """Histograms that grew, and the top rows that changed."""
        grown = [row for key, row in self._totals.items() if row.timed != self._histograms_of.get(key)]
        self._histograms_of |= {(row.scope, row.operation): row.timed for row in grown}
        size = self._emitter.emit_all(self._tables.histograms(grown))
        for table in self._keyed():
            size += self._emitter.emit_all(split_rows(table.record, self._book(table).changed(table.rows)))
        return size

    def repeat_all(self) -> None:
        """Everything goes out again at the next turn."""
        self._totals, self._histograms_of = {}, {}
        self._errors, self._exits = frozenset(), frozenset()
        for book in self._books.values():
            book.forget()

    def final(self, scopes: list[int], ended_ns: int) -> tuple[TotalsRow, ...]:
        """The final snapshot of programs that stopped counting at `ended_ns`; returns the totals for the trailer."""
        for reader in self._readers:
            reader.settle(ended_ns)
        self.repeat_all()
        totals = self._read_totals(scopes)
        self._emitter.emit_all(split_rows(Totals, list(totals.values())))
        self._emit_changed_sets()
        self._emitter.emit_all(self._tables.histograms(totals.values()))
        for table in self._keyed():
            rows = _within(self._book(table).ordered(table.rows.values()))
            self._emitter.emit_all(split_rows(table.record, rows))
        return over_scopes(totals.values())

    def heartbeat(self) -> Heartbeat:
        """Losses, suppressed events and the tracer's own cost, as of now."""
        suppressed = self._tables.suppressed()
        suppressed.update(self._emitter.suppressed())
        return Heartbeat(
            lost=(*self._tables.lost(), *(row for reader in self._readers for row in reader.lost())),
            dropped=(
                *self._emitter.dropped(),
                *self._tables.dropped(),
                *(row for reader in self._readers for row in reader.dropped()),
            ),
            suppressed=suppressed_rows(suppressed),
            tables=self._tables.table_rows(),
            stream_bytes=self._emitter.bytes,
            cpu_ns=_cpu_ns(),
            rss_bytes=_resident_bytes(),
        )

    def _read_totals(self, scopes: list[int]) -> dict[tuple[int, str], TotalsRow]:
        totals = self._tables.totals(scopes)
        return totals | {(row.scope, row.operation): row for reader in self._readers for row in reader.totals()}

    def _keyed(self) -> Iterator[KeyedTable]:
        yield from self._tables.keyed()
        for reader in self._readers:
            yield from reader.tables()

    def _book(self, table: KeyedTable) -> RowBook:
        return self._books.setdefault(table.record, RowBook(*table.ranks, top=table.top))

    def _emit_changed_sets(self) -> int:
        errors, exits = frozenset(self._tables.errors()), frozenset(self._tables.exits())
        records: list[Record] = [*split_rows(Errors, sorted(errors - self._errors, key=repr))]
        records += split_rows(Exits, sorted(exits - self._exits, key=repr))
        self._errors, self._exits = errors, exits
        return self._emitter.emit_all(records)


def over_scopes(rows: Iterable[TotalsRow]) -> tuple[TotalsRow, ...]:
    """One row for each operation, under scope 0: rows of each scope would not fit on the trailer's line."""
    of_operations: dict[str, list[dict[str, int]]] = {}
    for row in rows:
        counters = {name: value for name, value in vars(row).items() if name not in ("scope", "operation")}
        of_operations.setdefault(row.operation, []).append(counters)
    return tuple(TotalsRow(scope=0, operation=name, **merged(parts)) for name, parts in of_operations.items())


def _within(rows: list[Any]) -> list[Any]:
    """The first rows that fit into a table's part of the final snapshot."""
    room = FINAL_BYTES_PER_TABLE
    for count, row in enumerate(rows):
        room -= len(json.dumps(list(vars(row).values())))
        if room < 0:
            return rows[:count]
    return rows


def _cpu_ns() -> int:
    """What this process used, and the compiler before it."""
    compiler = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() + int((compiler.ru_utime + compiler.ru_stime) * 1e9)


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return 0
