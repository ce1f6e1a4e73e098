"""What tracing took, and numbers that stop where it took too much."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kubectl_podtrace.analysis.cost import ProgramCost, cost, partial_sections
from kubectl_podtrace.analysis.trust import trust
from kubectl_podtrace.report.build import ReportOptions, build_window
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.wire.records import Totals
from kubectl_podtrace.wire.topics import EVENT_OPERATIONS
from tests.unit.report.reports import API, CLIENT, partial, report_of
from tests.unit.streams import CPU_SHED, SECOND, STARTED, TRANSFERS_SHED, Stream, folded, scope, totals_row
from tests.unit.streams import cost as cost_record

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def shed() -> Report:
    """Half a minute whose transfers were shed after 12 s, and its switches after 20 s."""
    return partial()


def test_the_overhead_is_the_share_of_the_node_s_cpu_time_that_programs_and_tracer_took() -> None:
    stream = Stream()
    stream.beat(30)
    stream.add(cost_record(30, sys_exit=600_000_000, sys_enter=900_000_000), at_s=30)
    found = cost(stream.fold())
    assert found.overhead_ratio == pytest.approx(1.8 / 60)
    assert found.measured_ratio == pytest.approx(1 / 11)
    assert found.programs == (
        ProgramCost(name="raw_tracepoint:sys_enter", runs=900_000, run_ns=900_000_000, misses=0),
        ProgramCost(name="raw_tracepoint:sys_exit", runs=600_000, run_ns=600_000_000, misses=0),
    )
    assert (found.tracer_cpu_s, found.tracer_rss_bytes) == (0.42, 98_000_000)


@pytest.mark.parametrize("name", ["measured_ns", "wall_ns", "cpus"])
def test_what_was_not_measured_is_not_zero(name: str) -> None:
    stream, nothing = Stream(), {name: 0}
    stream.add(replace(cost_record(30, sys_exit=600_000_000), **nothing))  # type: ignore[arg-type]
    for fold in (stream.fold(), Stream().fold(), folded([])):
        found = cost(fold)
        assert (found.overhead_ratio, found.measured_ratio, found.programs) == (None, None, None)


def test_the_newest_cost_holds_whatever_comes_late() -> None:
    stream = Stream()
    stream.add(cost_record(5, sys_exit=1_000), cost_record(10, sys_exit=2_000))
    found = cost(folded([*stream.lines[:2], stream.lines[3], stream.lines[2]]))
    assert found.programs is not None
    assert [program.run_ns for program in found.programs] == [2_000]


def test_what_was_shed_is_told_once_in_its_order_however_often_it_was_said() -> None:
    stream = Stream()
    stream.add(CPU_SHED, TRANSFERS_SHED, CPU_SHED, TRANSFERS_SHED)
    first, second = cost(stream.fold()).shed
    assert (first.at, second.at) == (BEGAN + timedelta(seconds=12), BEGAN + timedelta(seconds=20))
    assert first.probes == ("raw_tracepoint:sys_exit", "raw_tracepoint:sys_enter")
    assert (first.overhead_ratio, first.limit_ratio, first.cost_ratio) == (0.142, 0.05, 0.138)


def test_each_section_says_until_when_its_own_numbers_were_counted(shed: Report) -> None:
    assert shed.tcp
    assert shed.cpu
    assert shed.connections
    assert shed.processes
    assert shed.network_io
    transfers, switches = BEGAN + timedelta(seconds=12), BEGAN + timedelta(seconds=20)
    assert [(part.until, part.lacks) for part in shed.tcp.partial] == [(transfers, TRANSFERS_SHED.lacks)]
    assert [part.until for part in shed.cpu.partial] == [switches]
    assert shed.connections.partial == ()
    for section in (shed.summary, shed.network_io, shed.processes):
        assert [part.until for part in section.partial] == [transfers]


def test_rates_are_those_of_the_time_in_which_the_operation_was_counted(shed: Report) -> None:
    assert shed.tcp
    assert shed.cpu
    assert shed.files
    assert shed.connections
    assert shed.tcp.send.per_s == pytest.approx(shed.tcp.send.count / 12)
    assert shed.tcp.throughput_bytes_per_s == pytest.approx((shed.tcp.send.bytes + shed.tcp.receive.bytes) / 12)
    assert shed.files.read.per_s == pytest.approx(shed.files.read.count / 12)
    assert shed.files.open.per_s == pytest.approx(shed.files.open.count / 30)
    assert shed.connections.per_s == pytest.approx(shed.connections.total / 30)
    assert shed.cpu.per_s == pytest.approx(shed.cpu.switches / 20)
    assert shed.cpu.total_ratio == pytest.approx(15 / 20)


def test_a_report_that_lacks_something_is_not_complete_and_says_what(shed: Report) -> None:
    assert not shed.trust.complete
    assert shed.trust.notes == (
        (
            "tcp, udp, dns, files, descriptors: from 00:00:12 UTC on reads, writes, sends and receives are not "
            "counted, since tracing took 14.2 % of the node (limit 5 %)"
        ),
        (
            "cpu: from 00:00:20 UTC on switches, waits and the time on a CPU are not counted, "
            "since tracing took 6.1 % of the node (limit 5 %)"
        ),
    )
    assert "incomplete: tcp, udp" in shed.headline.trust


def test_without_anything_shed_nothing_is_partial() -> None:
    stream = Stream()
    stream.end(2)
    assert partial_sections(stream.fold(), EVENT_OPERATIONS) == {}
    assert trust(stream.fold()).complete


def test_a_window_after_the_shedding_has_no_rate_for_what_is_not_counted() -> None:
    stream = Stream()
    stream.add(scope(), replace(TRANSFERS_SHED, shed_ns=STARTED + 2 * SECOND))
    stream.add(Totals(rows=(totals_row("tcp.send", count=600), totals_row("files.open", count=60))), at_s=1)
    for second in range(1, 21):
        stream.add(Totals(rows=(totals_row("files.open", count=60 + second),)), at_s=second)
        stream.beat(second)
    live = build_window(stream.fold(), target=API, options=ReportOptions(), client=CLIENT)
    assert live.total.tcp
    assert live.window.tcp
    assert live.window.files
    assert live.total.tcp.send.per_s == 300
    assert (live.window.tcp.send.count, live.window.tcp.send.per_s) == (0, 0)
    assert live.window.files.open.per_s == 1


def test_a_stream_without_a_header_has_no_cost_and_nothing_shed() -> None:
    report = report_of(folded([]))
    assert (report.cost.programs, report.cost.shed) == (None, ())
