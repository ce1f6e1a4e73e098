"""The running trace as plain blocks: the latest window beside the totals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TextIO

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cpu import CpuProcess
from kubectl_podtrace.analysis.files import Files
from kubectl_podtrace.analysis.processes import TopProcess
from kubectl_podtrace.analysis.selection import Dist, Op
from kubectl_podtrace.analysis.timeline import BURST_FACTOR
from kubectl_podtrace.report.document import Block, Facts, Name, Section, Table, left, right
from kubectl_podtrace.report.model import LiveReport, Report
from kubectl_podtrace.report.render.layout import lay_out
from kubectl_podtrace.report.render.terminal import console_for, write_lines
from kubectl_podtrace.report.sections.cells import NONE, number_or_dash
from kubectl_podtrace.report.sections.timeline import burst_text

TOP_PROCESSES: Final = 5


class LiveRenderer:
    """Draws one block of the live view for a page of `width` columns; None folds nothing."""

    def __init__(self, *, width: int | None, color: bool) -> None:
        self._width = width
        self._color = color

    def render(self, live: LiveReport, out: TextIO) -> None:
        """Writes a block, with an empty line after it."""
        console = console_for(out, color=self._color)
        write_lines(console, lay_out(_section(live), self._width))
        write_lines(console, ((),))


def _section(live: LiveReport) -> Section:
    window, total = live.window, live.total
    seconds = units.seconds(window.summary.duration_s)
    when = units.wall_clock(window.summary.end) if window.summary.end else "not started"
    blocks: list[Block] = []
    title = f"{when}: last {seconds} of {units.seconds(total.summary.duration_s)}"
    if not total.summary.events and not (total.cpu and total.cpu.total_ratio):
        return Section(title=title, blocks=(), empty="no events yet")
    rows = tuple(_rows(window, total))
    blocks.append(
        Table(columns=(left("operation"), *right("window", "rate", "p50", "p99", "max", "errors", "total")), rows=rows)
    )
    busiest = [entry for entry in window.processes.top if entry.node_pid] if window.processes else []
    if busiest:
        blocks.append(_processes(busiest[:TOP_PROCESSES]))
    running = [entry for entry in window.cpu.processes if entry.node_pid] if window.cpu else []
    if running:
        blocks.append(_cpu_processes(running[:TOP_PROCESSES]))
    remarks = tuple(_remarks(live))
    if remarks:
        blocks.append(Facts(pairs=remarks))
    return Section(title=title, blocks=tuple(blocks))


def _rows(window: Report, total: Report) -> Iterator[tuple[str, ...]]:
    yield _count_row("events", window.summary.events, window.summary.events_per_s, total.summary.events)
    if window.tcp and total.tcp:
        yield _operation_row("TCP send", window.tcp.send, total.tcp.send)
        yield _operation_row("TCP receive", window.tcp.receive, total.tcp.receive)
        yield _latency_row("RTT", window.tcp.rtt, window, total.tcp.rtt.count)
    if window.udp and total.udp and (total.udp.send.count or total.udp.receive.count):
        yield _operation_row("UDP send", window.udp.send, total.udp.send)
        yield _operation_row("UDP receive", window.udp.receive, total.udp.receive)
    if window.connections and total.connections:
        latency = window.connections.latency
        yield (
            "connection",
            units.count(window.connections.total),
            units.rate(window.connections.per_s),
            *_percentiles(latency),
            number_or_dash(window.connections.failed),
            units.count(total.connections.total),
        )
    if window.dns and total.dns and total.dns.lookups:
        yield (
            "DNS lookup",
            units.count(window.dns.lookups),
            units.rate(window.dns.per_s),
            *_percentiles(window.dns.latency),
            number_or_dash(window.dns.errors),
            units.count(total.dns.lookups),
        )
    if window.files and total.files:
        for name, now, ever in zip(
            ("read", "write", "fsync", "open"), _kinds(window.files), _kinds(total.files), strict=True
        ):
            if ever.count:
                yield _operation_row(f"file {name}" if name != "fsync" else name, now, ever)
    if window.cpu and total.cpu:
        yield _count_row("CPU switch", window.cpu.switches, window.cpu.per_s, total.cpu.switches)
        yield _latency_row(
            "wait for a CPU", window.cpu.block_by_cause.run_queue, window, total.cpu.block_by_cause.run_queue.count
        )
    if window.processes and total.processes:
        rate = _per_s(window.processes.exec, window)
        yield _count_row("exec", window.processes.exec, rate, total.processes.exec)


def _kinds(files: Files) -> tuple[Op, ...]:
    return (files.read, files.write, files.fsync, files.open)


def _operation_row(name: str, now: Op, ever: Op) -> tuple[str, ...]:
    return (
        name,
        units.count(now.count),
        units.rate(now.per_s),
        *_percentiles(now.latency),
        number_or_dash(now.failed),
        units.count(ever.count),
    )


def _latency_row(name: str, now: Dist, window: Report, ever: int) -> tuple[str, ...]:
    rate = units.rate(_per_s(now.count, window))
    return (name, units.count(now.count), rate, *_percentiles(now), NONE, units.count(ever))


def _count_row(name: str, now: int, per_s: float, ever: int) -> tuple[str, ...]:
    return (name, units.count(now), units.rate(per_s), NONE, NONE, NONE, NONE, units.count(ever))


def _per_s(number: int, window: Report) -> float:
    return number / window.summary.duration_s if window.summary.duration_s else 0.0


def _percentiles(dist: Dist) -> tuple[str, ...]:
    if not dist.count:
        return (NONE, NONE, NONE)
    # Histograms travel less often than counts: no percentile is known yet where they are behind.
    known = [units.duration(value) if value else NONE for value in (dist.p50_ns, dist.p99_ns)]
    return (*known, units.duration(dist.max_ns))


def _processes(busiest: list[TopProcess]) -> Table:
    return Table(
        columns=(*right("pid", "events", "share"), left("process")),
        rows=tuple(
            (str(entry.pid), units.count(entry.events), units.ratio(entry.share_ratio), Name(entry.comm))
            for entry in busiest
        ),
    )


def _cpu_processes(running: list[CpuProcess]) -> Table:
    return Table(
        columns=(*right("pid", "CPU", "switches"), left("process")),
        rows=tuple(
            (str(entry.pid), units.ratio(entry.cpu_ratio), units.count(entry.switches), Name(entry.comm))
            for entry in running
        ),
    )


def _remarks(live: LiveReport) -> Iterator[tuple[str, str]]:
    for finding in live.window.findings:
        yield finding.severity, f"{finding.title}: {finding.evidence}"
    over_time = live.total.timeline
    if over_time and over_time.bursts:
        newest = burst_text(over_time.bursts[-1])
        yield (
            "bursts",
            f"{units.count(over_time.burst_windows)} (1 s, > {units.times(BURST_FACTOR)} mean), last {newest}",
        )
    for shed in live.total.cost.shed:
        yield "partial", f"from {units.clock(shed.at)} UTC on {shed.lacks} ({', '.join(shed.topics)})"
    trust = live.total.trust
    if trust.lost or trust.dropped:
        yield "lost", f"{units.count(trust.lost)} in the kernel, {units.count(trust.dropped)} dropped by the tracer"
    if trust.missing_lines:
        lines = units.counted(trust.missing_lines, "line")
        yield "gaps", f"{lines} of the stream did not arrive; the totals heal by themselves"
    if trust.bypassed_operations:
        yield "not counted", f"{units.counted(trust.bypassed_operations, 'operation')} through io_uring"
