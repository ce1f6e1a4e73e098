"""From samples to what is said and switched off, with programs in memory."""

from __future__ import annotations

import os

from kubectl_podtrace.wire.codec import Line, decode
from kubectl_podtrace.wire.cost_records import Cost, Shed
from kubectl_podtrace.wire.records import Notice, Record
from kubectl_podtrace.wire.topics import TOPICS
from podtrace_tracer.cost.overhead import NOT_MEASURED, Overhead
from podtrace_tracer.cost.probe_groups import groups_of
from podtrace_tracer.cost.run_times import RunTimes
from podtrace_tracer.kernel import syscalls
from podtrace_tracer.programs.bpf import RunTime
from podtrace_tracer.programs.program import probes_of
from podtrace_tracer.stream.emit import Emitter
from tests.unit.tracer.memory_programs import MemoryPrograms

TURN_NS = 100_000_000
MACHINE = "x86_64"


class Trace:
    """A trace of all topics on one CPU; its programs take what a test says."""

    def __init__(self, *, limit_ppm: int = 50_000, measured: bool = True) -> None:
        self.now = 0
        self.turns = 0
        self.lines: list[bytes] = []
        self.programs = MemoryPrograms()
        self.programs.times = {name: RunTime(0, 0) for name in probes_of(TOPICS)}
        for number, value in syscalls.class_of_numbers(syscalls.TRANSFERS | {"close"}, MACHINE).items():
            self.programs.set_number("syscall_classes", number, value)
        self.blind: set[str] = set()
        self.emitter = Emitter(lambda: self.now, self._write)
        names = {name: spec.name for name, (spec, _) in probes_of(TOPICS).items()}
        self.overhead = Overhead(
            self.programs,
            self.emitter,
            groups=groups_of(TOPICS, names),
            names=names,
            limit_ppm=limit_ppm,
            cpus=1,
            machine=MACHINE,
            run_times=RunTimes(
                self.programs,
                clock=lambda: self.now,
                own_clock=lambda: self.now // 100,
                enable=self._enable if measured else self._refuse,
            ),
            blind=self.blind,
            clock=lambda: self.now,
        )

    def _write(self, data: bytes) -> int:
        self.lines.append(data)
        return len(data)

    def _enable(self) -> int:
        return os.open("/dev/null", os.O_RDONLY)

    def _refuse(self) -> int:
        raise PermissionError(1, "Operation not permitted")

    def run(self, seconds: int, **shares: float) -> None:
        """So long the programs take these shares of the CPU, a microsecond a run."""
        for _ in range(seconds * 10):
            self.now += TURN_NS
            self.turns += 1
            for name, share in shares.items():
                runs, run_ns = self.programs.times[name]
                self.programs.times[name] = RunTime(runs + round(share * 100_000), run_ns + round(share * TURN_NS))
            self.overhead.turn(self.turns)

    def said(self) -> list[Record]:
        decoded = [decode(data) for data in self.lines]
        return [line.record for line in decoded if isinstance(line, Line)]

    def classes(self) -> set[int]:
        """The system calls that are looked at."""
        found = self.programs.tables["syscall_classes"].items()
        return {int.from_bytes(key, "little") for key, (value,) in found if any(value)}


def test_what_a_trace_took_is_told_under_the_names_of_its_probes() -> None:
    trace = Trace()
    trace.run(12, sys_enter=0.02, sched_switch=0.005)
    trace.programs.misses["sys_exit"] = 7
    cost = trace.overhead.cost()
    assert (cost.cpus, cost.wall_ns > 10 * 10**9) == (1, True)
    assert 0.08 < cost.measured_ns / cost.wall_ns < 0.1
    assert cost.tracer_ns == cost.wall_ns // 100
    rows = {row.program: row for row in cost.rows}
    assert set(rows) == {"raw_tracepoint:sys_enter", "raw_tracepoint:sched_switch", "raw_tracepoint:sys_exit"}
    enter = rows["raw_tracepoint:sys_enter"]
    assert (enter.run_ns, enter.runs, enter.misses) == (cost.wall_ns // 50, cost.wall_ns // 50_000, 0)
    assert rows["raw_tracepoint:sys_exit"].misses == 7
    assert trace.said() == []


def test_transfers_are_given_up_first_by_looking_at_them_no_more() -> None:
    trace = Trace()
    trace.run(4, sys_enter=0.04, sys_exit=0.06)
    (shed,) = trace.said()
    assert isinstance(shed, Shed)
    assert shed.probes == ("raw_tracepoint:sys_exit", "raw_tracepoint:sys_enter")
    # The tracer's own share is a hundredth.
    assert (shed.overhead_ppm, shed.limit_ppm, shed.cost_ppm) == (110_000, 50_000, 100_000)
    assert 3 * 10**9 <= shed.shed_ns <= trace.now
    assert trace.classes() == set(syscalls.class_of_numbers(frozenset({"close"}), MACHINE))
    assert trace.programs.detached == []
    assert trace.blind == {"tcp", "udp", "dns", "files", "descriptors"}


def test_then_the_other_calls_are_and_their_probes_are_detached() -> None:
    trace = Trace()
    trace.run(8, sys_enter=0.04, sys_exit=0.06)
    assert [shed.lacks.split()[0] for shed in trace.said() if isinstance(shed, Shed)] == ["reads,", "opens,"]
    assert trace.programs.detached == ["sys_exit", "sys_enter"]


def test_other_probes_are_detached_and_no_topic_gets_blind() -> None:
    trace = Trace()
    trace.run(4, sched_switch=0.04, sched_wakeup=0.06)
    (shed,) = trace.said()
    assert isinstance(shed, Shed)
    assert shed.topics == ("cpu", "locks")
    assert trace.programs.detached == ["sched_switch", "sched_wakeup", "sched_waking", "cpu_clock"]
    assert trace.blind == set()


def test_what_was_given_up_is_told_again_with_what_it_cost() -> None:
    trace = Trace()
    trace.run(4, sched_switch=0.1)
    cost, shed = trace.overhead.records()
    assert isinstance(cost, Cost)
    assert [shed] == trace.said()


def test_without_a_limit_nothing_is_given_up() -> None:
    trace = Trace(limit_ppm=0)
    trace.run(20, sys_enter=0.5)
    assert trace.said() == []


def test_a_kernel_that_does_not_measure_is_told_once_and_again_with_every_repetition() -> None:
    trace = Trace(measured=False)
    trace.run(20, sys_enter=0.5)
    (notice,) = trace.said()
    assert isinstance(notice, Notice)
    assert notice.slug == NOT_MEASURED
    assert notice.text == (
        "the kernel does not measure what the programs cost: Operation not permitted, so --max-overhead cannot be kept"
    )
    cost, again = trace.overhead.records()
    assert again == notice
    assert isinstance(cost, Cost)
    assert (cost.measured_ns, cost.rows) == (0, ())
    without_limit = Trace(measured=False, limit_ppm=0)
    without_limit.run(1)
    (short,) = without_limit.said()
    assert isinstance(short, Notice)
    assert "--max-overhead" not in short.text


def test_the_end_of_the_trace_ends_the_last_sample() -> None:
    trace = Trace()
    trace.run(1)
    trace.turns = 11
    trace.run(0)
    trace.overhead.turn(12)
    trace.now += TURN_NS
    trace.overhead.finish()
    assert trace.overhead.cost().wall_ns == trace.now
