from __future__ import annotations

from collections import Counter

import pytest

from kubectl_podtrace.wire.codec import Line, decode
from kubectl_podtrace.wire.file_records import FileRow, Files
from kubectl_podtrace.wire.records import (
    Errors,
    Exits,
    Heartbeat,
    Histogram,
    Processes,
    Record,
    SuppressedRow,
    Totals,
    TotalsRow,
    Trailer,
)
from kubectl_podtrace.wire.topics import OPERATIONS
from podtrace_tracer.programs.program import EVENT_RANKS, MAX_SCOPES, ORDERED_OPERATIONS, operation_index
from podtrace_tracer.readers.model import TOP
from podtrace_tracer.readers.paths import Paths
from podtrace_tracer.readers.tables import Tables
from podtrace_tracer.stream.emit import Emitter
from podtrace_tracer.stream.snapshot import FINAL_BYTES_PER_TABLE, Snapshots, over_scopes
from tests.unit.tracer.events import an_event
from tests.unit.tracer.memory_programs import MemoryPrograms, constants


class Bench:
    """Snapshots between maps in memory and decoded records."""

    def __init__(self) -> None:
        self.programs = MemoryPrograms()
        self.paths = Paths()
        self._data = b""
        self.emitter = Emitter(lambda: 0, self._write)
        self.snapshots = Snapshots(Tables(self.programs, paths=self.paths), self.emitter)

    def _write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def records(self) -> list[Record]:
        """What was emitted since the last call."""
        lines = [decode(line) for line in self._data.splitlines(keepends=True)]
        self._data = b""
        assert all(isinstance(line, Line) for line in lines)
        return [line.record for line in lines if isinstance(line, Line)]

    def kinds(self) -> Counter[str]:
        return Counter(type(record).__name__ for record in self.records())

    def count(self, operation: str, count: int, *, scope: int = 0) -> None:
        value = self.programs.value("totals", count=count, timed=count, sum_ns=count * 5, max_ns=5)
        place = scope * len(OPERATIONS) + operation_index(operation)
        self.programs.put("totals", place, value, self.programs.value("totals"))
        if operation_index(operation) < sum(each.timed for each in OPERATIONS):
            whole = count.to_bytes(8, "little").ljust(8 * constants()["HISTOGRAM_BUCKETS"], b"\0")
            timed = sum(each.timed for each in OPERATIONS)
            self.programs.put("histograms", scope * timed + operation_index(operation), whole)

    def add_file(self, number: int, operations: int, path: str = "") -> None:
        key = self.programs.key("files", dentry=number)
        self.programs.put("files", key, self.programs.value("files", operations=operations))
        if path:
            self.paths.learn(key, path.encode() + b"\0", 0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_each_second_has_the_totals_that_changed_and_ends_with_a_heartbeat(bench: Bench) -> None:
    bench.count("files.read", 3)
    bench.count("tcp.send", 4)
    bench.snapshots.second([0], refresh=False)
    first = bench.records()
    assert [type(record) for record in first] == [Totals, Heartbeat]
    assert isinstance(first[0], Totals)
    assert {row.operation: row.count for row in first[0].rows} == {"files.read": 3, "tcp.send": 4}
    bench.count("tcp.send", 5)
    bench.snapshots.second([0], refresh=False)
    second = bench.records()
    assert isinstance(second[0], Totals)
    assert {row.operation: row.count for row in second[0].rows} == {"tcp.send": 5}
    bench.snapshots.second([0], refresh=False)
    assert [type(record) for record in bench.records()] == [Heartbeat]


def test_errors_and_exits_travel_when_they_changed(bench: Bench) -> None:
    error = bench.programs.key("errors", operation=operation_index("files.open"), number=2)
    bench.programs.put("errors", error, 1)
    bench.programs.put("exits", bench.programs.key("exits", status=256, comm=b"a"), 1)
    bench.snapshots.second([0], refresh=False)
    assert bench.kinds() == {"Errors": 1, "Exits": 1, "Heartbeat": 1}
    bench.programs.put("errors", error, 2)
    bench.snapshots.second([0], refresh=False)
    errors, _ = bench.records()
    assert isinstance(errors, Errors)
    assert [row.count for row in errors.rows] == [2]


def test_a_refresh_has_grown_histograms_and_changed_rows_before_its_heartbeat(bench: Bench) -> None:
    bench.count("files.read", 3)
    bench.add_file(1, 3)
    bench.programs.put("processes", 7, bench.programs.value("processes", pid=7, events=3))
    bench.snapshots.second([0], refresh=True)
    records = bench.records()
    assert {type(record) for record in records} == {Totals, Histogram, Files, Processes, Heartbeat}
    assert isinstance(records[-1], Heartbeat)
    bench.snapshots.second([0], refresh=True)
    assert bench.kinds() == {"Heartbeat": 1}
    bench.add_file(1, 4)
    bench.snapshots.second([0], refresh=True)
    assert bench.kinds() == {"Files": 1, "Heartbeat": 1}


def test_everything_travels_again_when_it_is_told_to(bench: Bench) -> None:
    bench.count("files.read", 3)
    bench.add_file(1, 3)
    bench.programs.put("exits", bench.programs.key("exits", comm=b"a"), 1)
    for _ in range(2):
        bench.snapshots.repeat_all()
        bench.snapshots.second([0], refresh=True)
        assert bench.kinds() == {"Totals": 1, "Exits": 1, "Histogram": 1, "Files": 1, "Heartbeat": 1}


def test_only_the_top_rows_travel_while_the_trace_runs_and_all_of_them_at_its_end(bench: Bench) -> None:
    for number in range(3 * TOP):
        bench.add_file(number, operations=number)
    bench.snapshots.second([0], refresh=True)
    running = [row for record in bench.records() if isinstance(record, Files) for row in record.rows]
    assert max(row.operations for row in running) == 3 * TOP - 1
    assert len(running) < 3 * TOP
    bench.snapshots.final([0], 0)
    final = [row for record in bench.records() if isinstance(record, Files) for row in record.rows]
    assert [row.operations for row in final] == list(range(3 * TOP - 1, -1, -1))


def test_the_final_snapshot_is_bounded_and_keeps_the_most_important_rows(bench: Bench) -> None:
    for number in range(2000):
        bench.add_file(number, operations=number, path="x" * 1000)
    bench.snapshots.final([0], 0)
    rows: list[FileRow] = [row for record in bench.records() if isinstance(record, Files) for row in record.rows]
    assert sum(len(row.path) for row in rows) < FINAL_BYTES_PER_TABLE
    assert [row.operations for row in rows] == list(range(1999, 1999 - len(rows), -1))
    assert len(rows) > 400


def test_the_trailer_s_totals_are_added_up_over_containers_and_fit_on_a_line(bench: Bench) -> None:
    for scope in range(MAX_SCOPES):
        for operation in ORDERED_OPERATIONS:
            bench.count(operation.full_name, 2**40 + scope, scope=scope)
    totals = bench.snapshots.final(list(range(MAX_SCOPES)), 0)
    bench.records()
    trailer = Trailer(ended_ns=2**60, reason="duration", heartbeat=bench.snapshots.heartbeat(), totals=totals)
    assert bench.emitter.emit(trailer) > 0
    assert {row.operation for row in totals} == {operation.full_name for operation in OPERATIONS}
    assert {row.count for row in totals} == {sum(2**40 + scope for scope in range(MAX_SCOPES))}


def test_over_scopes_adds_counters_and_takes_the_largest_maximum() -> None:
    names = ("count", "errors", "would_block", "interrupted", "bytes", "messages", "timed", "slow", "sum_ns")
    counters = dict.fromkeys(names, 2)
    rows = [
        TotalsRow(scope=scope, operation="tcp.send", **counters, max_ns=7 - scope, max_bytes=scope) for scope in (1, 4)
    ]
    summed = dict.fromkeys(names, 4)
    assert over_scopes(rows) == (TotalsRow(scope=0, operation="tcp.send", **summed, max_ns=6, max_bytes=4),)


def test_a_heartbeat_tells_suppressed_events_of_both_sides_and_the_cost(bench: Bench) -> None:
    value = bench.programs.value("event_budgets", suppressed=5)
    bench.programs.put("event_budgets", operation_index("files.open") * EVENT_RANKS, value, value)
    for _ in range(100):
        bench.emitter.emit_event(an_event("files.open", errno=2))
    sent = len(bench.records())
    heartbeat = bench.snapshots.heartbeat()
    assert heartbeat.suppressed == (SuppressedRow(operation="files.open", count=10 + 100 - sent),)
    assert heartbeat.stream_bytes == bench.emitter.bytes > 0
    assert heartbeat.cpu_ns > 0
    assert heartbeat.rss_bytes > 2**20


def test_a_second_gives_events_their_room_again(bench: Bench) -> None:
    for _ in range(2):
        for _ in range(100):
            bench.emitter.emit_event(an_event("files.open", errno=2))
        assert bench.kinds()["Event"] > 0
        bench.snapshots.second([0], refresh=False)
        bench.records()


def test_exits_that_have_not_changed_do_not_travel(bench: Bench) -> None:
    bench.programs.put("exits", bench.programs.key("exits", comm=b"a"), 1)
    bench.snapshots.second([0], refresh=False)
    assert Exits in {type(record) for record in bench.records()}
    bench.snapshots.second([0], refresh=False)
    assert Exits not in {type(record) for record in bench.records()}
