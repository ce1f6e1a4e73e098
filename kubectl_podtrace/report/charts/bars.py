"""Who and what, by how often or how long: targets, names, files, processes, and what threads waited for."""

from __future__ import annotations

from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.connections import Connections
from kubectl_podtrace.analysis.cpu import BlockByCause, Cpu
from kubectl_podtrace.analysis.dns import Dns
from kubectl_podtrace.analysis.files import Files
from kubectl_podtrace.analysis.memory import Memory
from kubectl_podtrace.analysis.processes import Processes
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.charts.chart import Bar, Bars, Series
from kubectl_podtrace.report.sections.connections import target_text

SHOWN: Final = 12
"""So many bars at most; the table below them has all."""
CAUSES: Final = (
    ("run_queue", "a CPU (run queue)"), ("lock", "a lock"), ("disk", "a disk"), ("network", "the network"),
    ("sleep", "time to pass (sleep)"), ("other", "anything else"),
)  # fmt: skip


def targets(section: Connections) -> tuple[Bars, ...]:
    """Connection attempts by target, failed beside good."""
    bars = [
        Bar(
            name=target_text(each),
            values=(each.count - each.failed, each.failed),
            text=_with_bad(each.count, (each.failed, "failed")),
        )
        for each in section.top_targets
        if each.address != OTHER
    ]
    series = (Series(label="good or still connecting", tone="good"), Series(label="failed", tone="bad"))
    return _bars("Connection attempts by target", "target", series, bars)


def names(section: Dns) -> tuple[Bars, ...]:
    """Lookups by name: failed and nonexistent beside good."""
    bars = [
        Bar(
            name=each.name,
            values=(max(each.count - each.nxdomain - each.errors, 0), each.nxdomain, each.errors),
            text=_with_bad(each.count, (each.nxdomain, "NXDOMAIN"), (each.errors, "failed")),
        )
        for each in section.top_names
        if each.name != OTHER
    ]
    series = (
        Series(label="good", tone="good"), Series(label="NXDOMAIN", tone="doubt"), Series(label="failed", tone="bad"),
    )  # fmt: skip
    return _bars("Lookups by name", "name", series, bars)


def busiest_files(section: Files) -> tuple[Bars, ...]:
    """Operations by file, slow beside others."""
    bars = [
        Bar(
            name=each.path,
            values=(max(each.count - each.slow, 0), each.slow),
            text=_with_bad(each.count, (each.slow, "slow")) + f", {units.size(each.bytes)}",
        )
        for each in section.top_files
        if each.path != OTHER
    ]
    series = (Series(label="reads, writes, fsyncs", tone="plain"), Series(label="slow ones", tone="bad"))
    return _bars("Operations by file", "file", series, bars)


def waits(section: Cpu) -> tuple[Bars, ...]:
    """What threads waited for while they were off a CPU, by the time that all of them waited together."""
    causes: BlockByCause = section.block_by_cause
    dists = [(label, getattr(causes, field)) for field, label in CAUSES]
    total_ns = sum(dist.sum_ns for _, dist in dists)
    bars = [
        Bar(
            name=label,
            values=(dist.sum_ns,),
            text=f"{units.duration(dist.sum_ns)} ({units.ratio(dist.sum_ns / total_ns)}), "
            f"{units.counted(dist.count, 'wait')}",
        )
        for label, dist in dists
        if dist.sum_ns
    ]
    bars.sort(key=lambda bar: -bar.values[0])
    series = (Series(label="time that threads were off the CPU, added up", tone="plain"),)
    return _bars("What threads waited for", "cause", series, bars)


def running(section: Cpu) -> tuple[Bars, ...]:
    """CPU time by process."""
    bars = [
        Bar(name=f"{each.comm} ({each.pid})", values=(each.cpu_ratio,), text=units.ratio(each.cpu_ratio))
        for each in section.processes
        if each.node_pid and each.cpu_ratio
    ]
    return _bars("CPU by process", "process", (Series(label="CPU (100 % is one core)", tone="plain"),), bars)


def active(section: Processes) -> tuple[Bars, ...]:
    """Events by process."""
    bars = [
        Bar(
            name=f"{each.comm} ({each.pid})",
            values=(each.events,),
            text=f"{units.count(each.events)} ({units.ratio(each.share_ratio)})",
        )
        for each in section.top
        if each.node_pid
    ]
    return _bars("Events by process", "process", (Series(label="events", tone="plain"),), bars)


def resident(section: Memory) -> tuple[Bars, ...]:
    """Resident memory by process, at its most."""
    bars = [
        Bar(
            name=f"{each.comm} ({each.pid})",
            values=(each.resident_peak_bytes,),
            text=units.size(each.resident_peak_bytes),
        )
        for each in sorted(section.processes, key=lambda each: -each.resident_peak_bytes)
        if each.node_pid and each.resident_peak_bytes
    ]
    return _bars("Resident memory by process", "process", (Series(label="resident at most", tone="plain"),), bars)


def _bars(title: str, noun: str, series: tuple[Series, ...], bars: list[Bar]) -> tuple[Bars, ...]:
    """None where there is nothing to compare."""
    if len(bars) < 2 and len(series) == 1:
        return ()
    kept = bars[:SHOWN]
    # What goes wrong is shown, however seldom it was tried.
    kept += [bar for bar in bars[SHOWN:] if bar.values[1:] and bar.values[-1]][: SHOWN // 2]
    plural = {"process": "processes"}.get(noun, noun + "s")
    shown = f"{units.count(len(kept))} of {units.counted(len(bars), noun, plural)}"
    summary = units.counted(len(bars), noun, plural) if len(kept) == len(bars) else shown
    return (Bars(title=title, summary=summary, series=series, bars=tuple(kept)),) if kept else ()


def _with_bad(count: int, *bad: tuple[int, str]) -> str:
    told = ", ".join(f"{units.count(number) if number < count else 'all'} {what}" for number, what in bad if number)
    return f"{units.count(count)} ({told})" if told else units.count(count)
