from __future__ import annotations

from collections.abc import Iterator

import pytest

from kubectl_podtrace.wire.activity_records import Activity, ActivityRow
from kubectl_podtrace.wire.codec import Line, encode
from kubectl_podtrace.wire.topics import OPERATIONS, TOPICS
from podtrace_tracer.programs.program import MAX_SCOPES, operation_index
from podtrace_tracer.stream.activity import READING_NS, ActivityReader
from tests.unit.tracer.memory_programs import CPUS, MemoryPrograms

STARTED = 7_000


class Bench:
    """A reader of maps in memory, whose clock ticks with each reading."""

    def __init__(self, topics: tuple[str, ...] = TOPICS) -> None:
        self.programs = MemoryPrograms(topics)
        self.now = STARTED
        self.reader = ActivityReader(self.programs, topics, cpus=CPUS, started_ns=STARTED, clock=lambda: self.now)

    def count(self, operation: str, *counts: int, scope: int = 0, size: int = 0) -> None:
        """So often on each CPU."""
        values = [self.programs.value("totals", count=count, bytes=size) for count in counts]
        place = scope * len(OPERATIONS) + operation_index(operation)
        self.programs.put("totals", place, *values, *[self.programs.value("totals")] * (CPUS - len(values)))

    def read(self, *scopes: int) -> None:
        self.now += READING_NS
        self.reader.read(scopes or (0,))

    def lines(self) -> Iterator[Activity]:
        return self.reader.lines()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_readings_hold_the_sums_of_events_attempts_and_transfers(bench: Bench) -> None:
    bench.count("files.read", 3, 4)
    bench.count("tcp.send", 5, 6, size=100)
    bench.count("connections.attempt", 2)
    bench.count("tcp.retransmit", 99)
    bench.read()
    bench.count("tcp.send", 7, 6, size=150)
    bench.read()
    (line,) = bench.lines()
    assert line.times == (STARTED, STARTED + READING_NS, STARTED + 2 * READING_NS)
    expected = ActivityRow(scope=0, events=(0, 20, 22), attempts=(0, 2, 2), transfers=(0, 11, 13), bytes=(0, 200, 300))
    assert line.rows == (expected,)


def test_each_line_begins_where_the_one_before_ended(bench: Bench) -> None:
    bench.count("files.open", 1)
    bench.read()
    (first,) = bench.lines()
    bench.count("files.open", 9)
    bench.read()
    (second,) = bench.lines()
    assert (second.times[0], second.rows[0].events[0]) == (first.times[-1], first.rows[0].events[-1])


def test_a_time_without_change_is_told_without_rows(bench: Bench) -> None:
    bench.count("files.open", 1)
    for _ in range(3):
        bench.read()
    list(bench.lines())
    for _ in range(5):
        bench.read()
    (line,) = bench.lines()
    assert (line.times, line.rows) == ((STARTED + 3 * READING_NS, STARTED + 8 * READING_NS), ())


def test_a_container_that_came_later_had_done_nothing_before(bench: Bench) -> None:
    bench.read(0)
    bench.count("processes.exec", 4, scope=1)
    bench.read(0, 1)
    (line,) = bench.lines()
    assert [(row.scope, row.events) for row in line.rows] == [(1, (0, 0, 4))]


def test_every_line_fits_whatever_the_numbers(bench: Bench) -> None:
    for scope in range(MAX_SCOPES):
        for operation in ("tcp.send", "connections.attempt"):
            bench.count(operation, 2**62, 2**62, scope=scope, size=2**62)
    bench.now = 2**62
    for _ in range(12):
        bench.read(*range(MAX_SCOPES))
    lines = list(bench.lines())
    for number, record in enumerate(lines):
        encode(Line(seq=2**40 + number, at_ns=2**63, record=record))
    assert [row.scope for line in lines for row in line.rows] == list(range(MAX_SCOPES))


def test_of_cpu_alone_the_switches_are_the_events() -> None:
    bench = Bench(("cpu",))
    bench.count("cpu.switch", 8, 9)
    bench.count("cpu.run", 5)
    bench.read()
    (line,) = bench.lines()
    assert line.rows[0].events == (0, 17)


def test_a_young_trace_is_read_each_turn_and_an_old_one_each_second(bench: Bench) -> None:
    bench.count("files.open", 1)
    for turn in range(1, 11):
        bench.now += READING_NS
        bench.reader.turn(turn, [0], is_young=True)
    (line,) = bench.lines()
    assert (len(line.times), line.interval_ns) == (11, READING_NS)
    bench.count("files.open", 2)
    for turn in (*range(11, 20), 21):
        bench.now += READING_NS
        bench.reader.turn(turn, [0], is_young=False)
    (line,) = bench.lines()
    assert (len(line.times), line.interval_ns) == (2, 10 * READING_NS)


def test_a_clock_that_stands_still_gives_no_reading(bench: Bench) -> None:
    bench.count("files.open", 1)
    bench.reader.read([0])
    bench.reader.read([0], STARTED)
    (line,) = bench.lines()
    assert (line.times, line.rows) == ((STARTED,), ())
