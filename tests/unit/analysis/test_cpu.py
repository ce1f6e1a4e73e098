"""The section cpu, against what was put into the stream."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.cpu import Throttled, cpu
from kubectl_podtrace.analysis.selection import select
from kubectl_podtrace.analysis.summary import summary
from kubectl_podtrace.analysis.tables import difference
from kubectl_podtrace.wire.cpu_records import CpuProcesses, CpuProcessRow, Throttling, ThrottlingRow
from kubectl_podtrace.wire.records import Totals
from kubectl_podtrace.wire.topics import EVENT_OPERATIONS, event_operations
from tests.unit.analysis.selections import selection_of
from tests.unit.shop import shop_stream
from tests.unit.streams import OFFSET, SECOND, STARTED, Stream, timed, totals_row


def process(number: int, on_cpu_ns: int, *, switches: int = 1, samples: int = 0, scope: int = 0) -> CpuProcessRow:
    return CpuProcessRow(
        scope=scope, pid=number, node_pid=1_000 + number, start_ns=number, comm=f"p{number}", on_cpu_ns=on_cpu_ns,
        switches=switches, samples=samples,
    )  # fmt: skip


def test_waits_are_told_by_cause_and_add_up() -> None:
    section = cpu(selection_of(shop_stream().fold()))
    causes = section.block_by_cause
    assert (section.switches, section.block.count, section.samples) == (1_019, 1_013, 1_485)
    assert (causes.run_queue.count, causes.network.count, causes.lock.count, causes.disk.count) == (1_013, 601, 103, 0)
    total = sum(dist.avg_ns * dist.count for dist in (causes.run_queue, causes.network, causes.lock))
    assert total == pytest.approx(section.block.avg_ns * section.block.count, rel=0.001)
    assert section.throttling == Throttled(periods=300, throttled=21, total_ns=1_700_000_000)


def test_processes_add_up_to_all_that_ran_with_an_exact_other() -> None:
    stream = Stream()
    rows = tuple(process(number, number * SECOND // 100, samples=number) for number in range(1, 151))
    stream.add(CpuProcesses(rows=rows[:80]), CpuProcesses(rows=rows[80:]))
    ran = sum(row.on_cpu_ns for row in rows) + 7_000_000
    stream.add(Totals(rows=(totals_row("cpu.run", count=20_000, sum_ns=ran), totals_row("cpu.switch", count=170))))
    stream.end(30)
    section = cpu(selection_of(stream.fold()))
    assert len(section.processes) == 101
    assert section.processes[0].pid == 150
    assert section.processes[0].on_cpu_ns == 1_500_000_000
    assert section.processes[0].cpu_ratio == pytest.approx(1.5 / 30)
    other = section.processes[-1]
    assert (other.comm, other.pid, other.switches) == ("(other)", 0, 70)
    assert sum(entry.on_cpu_ns for entry in section.processes) == section.on_cpu_ns
    assert sum(entry.cpu_ratio for entry in section.processes) == pytest.approx(section.total_ratio)
    assert section.total_ratio == pytest.approx(ran / (30 * SECOND))
    assert sum(entry.samples for entry in section.processes) == 20_000


def test_a_window_has_its_own_shares_and_throttling() -> None:
    def state(seconds: int) -> Stream:
        stream = Stream()
        stream.add(
            CpuProcesses(rows=(process(1, seconds * SECOND // 4), process(2, 5))),
            Throttling(rows=(ThrottlingRow(scope=0, periods=10 * seconds, throttled=seconds, total_ns=9 * seconds),)),
            Totals(rows=(totals_row("cpu.run", sum_ns=seconds * SECOND // 4),)),
        )
        return stream

    change = difference(state(9).fold().state(), state(4).fold().state())
    section = cpu(select(change, None, start_ns=STARTED + 4 * SECOND, end_ns=STARTED + 9 * SECOND))
    (entry,) = section.processes
    assert entry.pid == 1
    assert entry.cpu_ratio == pytest.approx(0.25)
    assert section.throttling == Throttled(periods=50, throttled=5, total_ns=45)


def test_throttling_of_the_selected_containers_is_added_up_and_unknown_without_a_controller() -> None:
    stream = Stream()
    assert cpu(selection_of(stream.fold())).throttling is None
    rows = tuple(ThrottlingRow(scope=scope, periods=10, throttled=1 + scope, total_ns=5) for scope in range(3))
    stream.add(Throttling(rows=rows))
    both = cpu(selection_of(stream.fold(), frozenset({0, 1}))).throttling
    assert both == Throttled(periods=20, throttled=3, total_ns=10)


def test_switches_are_events_in_a_trace_of_cpu_alone() -> None:
    assert event_operations(("cpu",)) == {"cpu.switch"}
    assert event_operations(("cpu", "files")) == EVENT_OPERATIONS
    stream = Stream()
    row, histogram = timed("cpu.block", [1_000] * 5)
    stream.add(Totals(rows=(row, totals_row("cpu.switch", count=6), totals_row("files.read", count=2))), histogram)
    state = stream.fold().state()
    for operations, events in ((event_operations(("cpu",)), 6), (EVENT_OPERATIONS, 2)):
        chosen = select(state, None, start_ns=STARTED, end_ns=STARTED + SECOND, event_operations=operations)
        assert summary(chosen, realtime_offset_ns=OFFSET).events == events


def test_nothing_that_ran_is_no_share_of_anything() -> None:
    section = cpu(selection_of(Stream().fold()))
    assert (section.switches, section.total_ratio, section.processes) == (0, 0.0, ())
