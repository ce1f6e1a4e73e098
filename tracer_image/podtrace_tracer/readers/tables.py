"""The programs' maps as rows of records."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from kubectl_podtrace.wire.file_records import FailedOpenRow, FailedOpens, FileRow, Files
from kubectl_podtrace.wire.records import (
    ErrorRow,
    ExitRow,
    Histogram,
    LostRow,
    Processes,
    ProcessRow,
    TableRow,
    TargetRow,
    Targets,
    TotalsRow,
)
from kubectl_podtrace.wire.topics import EVERY_TOPIC, OPERATIONS
from podtrace_tracer.addresses import address_text
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.programs.compiled import Layout
from podtrace_tracer.programs.map_values import exit_status, filled_buckets, merged, name_in, number_in
from podtrace_tracer.programs.program import EVENT_RANKS, LOST, ORDERED_OPERATIONS, TIMED
from podtrace_tracer.readers.ended_rows import MAX_ENDED, EndedRows
from podtrace_tracer.readers.model import KeyedTable
from podtrace_tracer.readers.paths import Paths

SETTLED_NS: Final = 100_000_000
"""So long after its end a process has no other last thread that could end it again."""
_HISTOGRAM_PART: Final = 250
"""So many buckets fit on a line, whatever their counts are."""

_LOST_OF_TABLE: Final = {
    "processes": "PROCESSES", "files": "FILES", "failed_opens": "FAILED_OPENS", "targets": "TARGETS", "exits": "EXITS",
    "cpu_processes": "CPU_PROCESSES", "lock_threads": "LOCK_THREADS", "long_waits": "LONG_WAITS",
    "dns_names": "DNS_NAMES", "dns_types": "DNS_TYPES", "resolvers": "RESOLVERS",
    "queries": "QUERIES",
}  # fmt: skip
"""Each keyed table, and what the programs count as lost where it has no place left: it is in `(other)`."""
_IN_OTHERS: Final = frozenset({*_LOST_OF_TABLE.values(), "STACKS", "STACK_COUNTS"})
"""Losses that cost a detail only: totals are exact, and lists say what they lack."""

_FILE_RANKS: Final = (
    lambda row: row.operations, lambda row: row.bytes, lambda row: row.total_ns, lambda row: row.opened,
)  # fmt: skip
_TARGET_COUNTERS: Final = ("attempts", "failed", "established", "handshake_ns", "max_ns")
_TARGET_RANKS: Final = (lambda row: row.attempts, lambda row: row.failed, lambda row: row.handshake_ns)


def totals_row(programs: Programs, scope: int, index: int) -> TotalsRow:
    """The counters of one operation in one scope, by its index."""
    layout = programs.value_layout("totals")
    values = programs.values("totals", scope * len(OPERATIONS) + index)
    return _merged_row(scope, ORDERED_OPERATIONS[index].full_name, layout, values or [bytes(layout.size)])


def _merged_row(scope: int, operation: str, layout: Layout, values: list[bytes]) -> TotalsRow:
    return TotalsRow(scope=scope, operation=operation, **merged([layout.fields(value) for value in values]))


class Tables:
    """Reads the maps of attached (or just detached) programs. All numbers are cumulative."""

    def __init__(
        self,
        programs: Programs,
        *,
        paths: Paths,
        topics_of_probes: Mapping[str, str] | None = None,
        max_ended: int = MAX_ENDED,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`topics_of_probes`: the topic that each tracepoint's program counts for, where it is one."""
        self._programs = programs
        self._paths = paths
        self._topics_of_probes = topics_of_probes or {}
        self._total = programs.value_layout("totals")
        self._process = programs.value_layout("processes")
        self._ended = EndedRows(lambda row: row.events, most=max_ended)
        self._clock = clock
        self._misses: dict[str, int] = {}

    def totals(self, scopes: Iterable[int]) -> dict[tuple[int, str], TotalsRow]:
        """Operations that have happened, by scope and name."""
        found = {}
        for scope in scopes:
            for index, operation in enumerate(ORDERED_OPERATIONS):
                place = scope * len(OPERATIONS) + index
                values = self._programs.values("totals", place)
                if values and any(any(value) for value in values):
                    found[scope, operation.full_name] = _merged_row(scope, operation.full_name, self._total, values)
        return found

    def histograms(self, rows: Iterable[TotalsRow]) -> Iterator[Histogram]:
        """The histograms of these operations, in parts that fit on a line."""
        names = [operation.full_name for operation in ORDERED_OPERATIONS]
        for row in rows:
            index = names.index(row.operation)
            if not row.timed or index >= TIMED:
                continue
            values = self._programs.values("histograms", row.scope * TIMED + index)
            buckets = filled_buckets(values[0]) if values else ()
            for start in range(0, len(buckets), 2 * _HISTOGRAM_PART):
                part = buckets[start : start + 2 * _HISTOGRAM_PART]
                yield Histogram(scope=row.scope, operation=row.operation, buckets=part)

    def errors(self) -> list[ErrorRow]:
        """Errors by number."""
        layout = self._programs.key_layout("errors")
        rows = []
        for key, values in self._programs.items("errors"):
            fields = layout.fields(key)
            operation = ORDERED_OPERATIONS[fields["operation"]].full_name
            rows.append(
                ErrorRow(
                    scope=fields["scope"],
                    operation=operation,
                    errno=fields["number"],
                    count=number_in(values),
                )
            )
        return rows

    def files(self) -> dict[int, FileRow]:
        """Files by their number."""
        if not self._programs.has("files"):
            return {}
        layout = self._programs.value_layout("files")
        found = {}
        for key, values in self._programs.items("files"):
            counters = layout.fields(values[0])
            counters.pop("named")
            number = self._paths.number(key)
            scope = int.from_bytes(key[-8:], "little")
            found[number] = FileRow(scope=scope, key=number, path=self._paths.path(key), **counters)
        return found

    def failed_opens(self) -> dict[int, FailedOpenRow]:
        """Paths that could not be opened, by their number."""
        if not self._programs.has("failed_opens"):
            return {}
        found = {}
        for key, values in self._programs.items("failed_opens"):
            number = self._paths.number(key)
            path = name_in(key[4:])
            count = number_in(values)
            found[number] = FailedOpenRow(scope=int.from_bytes(key[:4], "little"), key=number, path=path, failed=count)
        return found

    def targets(self) -> dict[bytes, TargetRow]:
        """Connection targets by key."""
        if not self._programs.has("targets"):
            return {}
        layout = self._programs.value_layout("targets")
        found = {}
        for key, values in self._programs.items("targets"):
            scope, family, port = struct.unpack_from("=IHH", key)
            merged_counters = merged([layout.fields(value) for value in values])
            counters = {name: merged_counters[name] for name in _TARGET_COUNTERS}
            found[key] = TargetRow(scope=scope, address=address_text(family, key[8:24]), port=port, **counters)
        return found

    def processes(self) -> dict[bytes, ProcessRow]:
        """Processes of the target, ended ones too. Entries of ended ones are taken out of the kernel."""
        self.drain_ended()
        rows: dict[Any, ProcessRow] = dict(self._ended.rows)
        # In this order: one that ends meanwhile goes from the first table into the second.
        for _, values in self._programs.items("processes"):
            fields = self._process.fields(values[0])
            rows[struct.pack("=QQ", fields["start_ns"], fields["tgid"])] = self._process_row(values[0], alive=True)
        for key, values in self._programs.items("ended"):
            rows[key] = self._process_row(values[0], alive=False)
        return rows

    def drain_ended(self) -> None:
        """Takes the entries of ended processes out of the kernel: each second, so that there is room for the next ones.

        The youngest stay a moment longer: a second last thread finds there that its process was counted.
        """
        before_ns = self._clock() - SETTLED_NS
        self._ended.take(self._programs, "ended", before_ns, lambda _, value: self._process_row(value, alive=False))

    def dropped(self) -> tuple[LostRow, ...]:
        """What was known and had to be let go."""
        return self._ended.dropped("processes", "their operations are in the totals")

    def _process_row(self, value: bytes, *, alive: bool) -> ProcessRow:
        fields = self._process.fields(value)
        return ProcessRow(
            scope=fields["scope"],
            pid=fields["pid"],
            node_pid=fields["node_pid"],
            start_ns=fields["start_ns"],
            comm=name_in(fields["comm"]),
            events=fields["events"],
            alive=alive,
        )

    def keyed(self) -> Iterator[KeyedTable]:
        """The tables of which the top rows travel."""
        yield KeyedTable(record=Files, rows=self.files(), ranks=_FILE_RANKS)
        yield KeyedTable(record=FailedOpens, rows=self.failed_opens(), ranks=(lambda row: row.failed,))
        yield KeyedTable(record=Targets, rows=self.targets(), ranks=_TARGET_RANKS)
        yield KeyedTable(record=Processes, rows=self.processes(), ranks=(lambda row: row.events,))

    def exits(self) -> list[ExitRow]:
        """Ended processes by name and status."""
        if not self._programs.has("exits"):
            return []
        layout = self._programs.key_layout("exits")
        rows = []
        for key, values in self._programs.items("exits"):
            fields = layout.fields(key)
            code, signal = exit_status(fields["status"])
            rows.append(
                ExitRow(
                    scope=fields["scope"],
                    comm=name_in(fields["comm"]),
                    code=code,
                    signal=signal,
                    count=number_in(values),
                )
            )
        return rows

    def lost(self) -> tuple[LostRow, ...]:
        """What the kernel's side could not keep, but for what the keyed tables had no place for (see `table_rows`)."""
        self.note_misses()
        counts = self._lost_counts()
        lost = [
            LostRow(source=each.text, topic=each.topic, count=counts[each.name])
            for each in LOST
            if counts[each.name] and each.name not in _IN_OTHERS
        ]
        missed = [
            LostRow(
                source=f"{tracepoint}: interrupted by itself",
                topic=self._topics_of_probes.get(tracepoint, EVERY_TOPIC),
                count=misses,
            )
            for tracepoint, misses in self._misses.items()
            if misses
        ]
        return (*lost, *missed)

    def table_rows(self) -> tuple[TableRow, ...]:
        """How full the keyed tables are."""
        counts = self._lost_counts()
        return tuple(
            TableRow(
                table=table,
                keys=self._programs.count(table),
                capacity=self._programs.capacity(table),
                unlisted=counts[lost],
            )
            for table, lost in _LOST_OF_TABLE.items()
            if self._programs.has(table)
        )

    def suppressed(self) -> Counter[str]:
        """Events that the programs' rate limit kept back, by operation."""
        counts: Counter[str] = Counter()
        layout = self._programs.value_layout("event_budgets")
        for index in range(len(ORDERED_OPERATIONS) * EVENT_RANKS):
            values = self._programs.values("event_budgets", index) or []
            operation = ORDERED_OPERATIONS[index // EVENT_RANKS].full_name
            counts[operation] += sum(layout.unsigned("suppressed", value) for value in values)
        return counts

    def _lost_counts(self) -> dict[str, int]:
        """By the names in `LOST`."""
        counts = {}
        for index, each in enumerate(LOST):
            counts[each.name] = number_in(self._programs.values("lost", index))
        return counts

    def note_misses(self) -> None:
        """Asks the programs for events that they missed; once they are detached they are no longer asked."""
        self._misses |= self._programs.recursion_misses()
