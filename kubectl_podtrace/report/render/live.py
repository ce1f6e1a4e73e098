"""The running trace as plain blocks: the latest window beside the totals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TextIO

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cpu import CpuProcess
from kubectl_podtrace.analysis.processes import TopProcess
from kubectl_podtrace.analysis.timeline import BURST_FACTOR
from kubectl_podtrace.report.document import Block, Facts, Name, Section, Table, left, right
from kubectl_podtrace.report.model import LiveReport
from kubectl_podtrace.report.render.layout import lay_out
from kubectl_podtrace.report.render.terminal import console_for, write_lines
from kubectl_podtrace.report.sections.events import events_table
from kubectl_podtrace.report.sections.operations import operation_rows
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
    blocks.append(_operations(live))
    busiest = [entry for entry in window.processes.top if entry.node_pid] if window.processes else []
    if busiest:
        blocks.append(_processes(busiest[:TOP_PROCESSES]))
    running = [entry for entry in window.cpu.processes if entry.node_pid] if window.cpu else []
    if running:
        blocks.append(_cpu_processes(running[:TOP_PROCESSES]))
    if live.events:
        blocks.append(events_table(live.events, live.realtime_offset_ns))
    remarks = tuple(_remarks(live))
    if remarks:
        blocks.append(Facts(pairs=remarks))
    return Section(title=title, blocks=tuple(blocks))


def _operations(live: LiveReport) -> Table:
    rows = (
        (
            row.name,
            units.count(row.count),
            units.rate(row.per_s),
            *row.latency_cells,
            row.failed_cell,
            units.count(row.total),
        )
        for row in operation_rows(live)
    )
    columns = (left("operation"), *right("window", "rate", "p50", "p99", "max", "errors", "total"))
    return Table(columns=columns, rows=tuple(rows))


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
    if live.events_left_out:
        yield "more events", f"{units.count(live.events_left_out)} in this window; --events-csv keeps them"
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
