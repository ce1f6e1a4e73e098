"""processes: how long those lived that have ended, by name and status."""

from __future__ import annotations

from collections.abc import Iterator

from kubectl_podtrace.wire.lifecycle_records import LifetimeRow, Lifetimes
from podtrace_tracer.programs.map_values import exit_status, merged, name_in
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext


class ProcessReader(TopicReader):
    """Reads the table of lifetimes. What the ended processes did is among the tables that all topics have.

    What finds no place there is counted with the exits, which have the same keys.
    """

    def __init__(self, context: TraceContext) -> None:
        self._programs = context.programs
        self._key = self._programs.key_layout("lifetimes")
        self._value = self._programs.value_layout("lifetimes")

    def tables(self) -> Iterator[KeyedTable]:
        """Lifetimes by name and status; the top ones are the most frequent, and the newest."""
        rows = {key: self._row(key, values) for key, values in self._programs.items("lifetimes")}
        yield KeyedTable(record=Lifetimes, rows=rows, ranks=(lambda row: row.count, lambda row: row.last_ns))

    def _row(self, key: bytes, values: list[bytes]) -> LifetimeRow:
        ended, parts = self._key.fields(key), [self._value.fields(value) for value in values]
        counters = merged(parts)
        code, signal = exit_status(ended["status"])
        return LifetimeRow(
            scope=ended["scope"],
            comm=name_in(ended["comm"]),
            code=code,
            signal=signal,
            count=counters["count"],
            oom_kills=counters["oom_kills"],
            lifetime_ns=counters["sum_ns"],
            longest_ns=counters["max_ns"],
            first_ns=min((part["first_ns"] for part in parts if part["count"]), default=0),
            last_ns=counters["max_last_ns"],
        )
