"""The readable section of the CPU: who ran, who waited, and what for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cpu import Cpu, CpuProcess, Throttled, TopFunction
from kubectl_podtrace.analysis.cpu_stacks import Cause, OffCpuStack
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.stacks import OTHER_FRAME
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE, first_rows, latency_table, listing, number_or_dash
from kubectl_podtrace.report.sections.stacks import path_text
from kubectl_podtrace.wire.topics import LONG_WAIT_NS

WAITS_SHOWN: Final = 5
"""So many stacks of waits have a line."""
_CAUSES: Final[dict[Cause, str]] = {
    "lock": "a lock", "disk": "a disk", "network": "the network", "sleep": "time", "other": "other things",
}  # fmt: skip


def cpu(section: Cpu) -> Section:
    """CPU time and throttling, times off the CPU by cause, and the processes that ran most."""
    if not (section.switches or section.total_ratio):
        return Section(title="CPU", blocks=(), empty="nothing ran")
    causes = section.block_by_cause
    waits = (
        ("all", section.block),
        ("a CPU (run queue)", causes.run_queue),
        ("a lock", causes.lock),
        ("a disk", causes.disk),
        ("the network", causes.network),
        ("time to pass (sleep)", causes.sleep),
        ("anything else", causes.other),
    )
    facts = Facts(
        pairs=(
            ("CPU (100 % is one core)", units.ratio(section.total_ratio)),
            ("switches", f"{units.count(section.switches)} ({units.rate(section.per_s)})"),
            ("throttling", _throttling_text(section.throttling)),
        )
    )
    blocks: tuple[Block, ...] = (
        facts,
        *latency_table(waits, title="off the CPU for"),
        _processes(section.processes),
        *_top_functions(section.top_functions),
        *_waits(section.off_cpu),
    )
    return Section(title="CPU", blocks=blocks)


def _top_functions(entries: tuple[TopFunction, ...]) -> tuple[Table, ...]:
    """Where the samples found threads; none where there were no samples."""
    table = listing(
        (*right("samples", "share"), left("function that ran")), entries, "module", _function_row, _functions_together
    )
    return (table,) if table.every else ()


def _waits(entries: Sequence[OffCpuStack]) -> tuple[Table, ...]:
    """Where threads waited longest in all; none where no wait has a stack."""
    rows = [_wait_row(entry) for entry in entries if OTHER_FRAME not in entry.frames]
    title = f"where (waits of {units.threshold(LONG_WAIT_NS)} and more)"
    columns = (*right("in all", "waits", "longest"), left("for"), left(title))
    return (first_rows(columns, rows, most=WAITS_SHOWN),) if rows else ()


def _wait_row(entry: OffCpuStack) -> Row:
    times = (units.duration(entry.total_ns), units.count(entry.count), units.duration(entry.latency.max_ns))
    return (*times, _CAUSES[entry.cause], Name(path_text(entry.frames)))


def _function_row(entry: TopFunction) -> Row:
    return (units.count(entry.samples), units.ratio(entry.share_ratio), Name(_function(entry)))


def _functions_together(rest: Sequence[TopFunction]) -> Row:
    samples, share = sum(each.samples for each in rest), sum(each.share_ratio for each in rest)
    return (units.count(samples), units.ratio(share), Name(OTHER))


def _function(entry: TopFunction) -> str:
    module = entry.module.rpartition("/")[2] or entry.module
    return f"{entry.symbol} ({module})" if entry.symbol else module


def _throttling_text(throttling: Throttled | None) -> str:
    if throttling is None:
        return "not known: the target's cgroup has no CPU controller"
    if not throttling.periods:
        return "none: no CPU limit was at work"
    share = units.ratio(throttling.throttled / throttling.periods)
    periods = f"{units.count(throttling.throttled)} of {units.counted(throttling.periods, 'period')} ({share})"
    return f"{periods}, {units.duration(throttling.total_ns)} in all" if throttling.throttled else f"none in {periods}"


def _processes(entries: tuple[CpuProcess, ...]) -> Table:
    columns = (*right("CPU", "switches", "samples", "pid", "node pid"), left("process"))
    return listing(columns, entries, "comm", _process_row, _processes_together)


def _process_row(entry: CpuProcess) -> Row:
    return (
        units.ratio(entry.cpu_ratio),
        units.count(entry.switches),
        number_or_dash(entry.samples),
        str(entry.pid),
        str(entry.node_pid),
        Name(entry.comm),
    )


def _processes_together(rest: Sequence[CpuProcess]) -> Row:
    return (
        units.ratio(sum(entry.cpu_ratio for entry in rest)),
        units.count(sum(entry.switches for entry in rest)),
        number_or_dash(sum(entry.samples for entry in rest)),
        NONE,
        NONE,
        Name(OTHER),
    )
