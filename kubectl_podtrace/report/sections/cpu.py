"""The readable section of the CPU: who ran, who waited, and what for."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cpu import Cpu, CpuProcess, Throttled
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.document import Facts, Name, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE, latency_table, number_or_dash, shown


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
    return Section(
        title="CPU", blocks=(facts, *latency_table(waits, title="off the CPU for"), _processes(section.processes))
    )


def _throttling_text(throttling: Throttled | None) -> str:
    if throttling is None:
        return "not known: the target's cgroup has no CPU controller"
    if not throttling.periods:
        return "none: no CPU limit was at work"
    share = units.ratio(throttling.throttled / throttling.periods)
    periods = f"{units.count(throttling.throttled)} of {units.counted(throttling.periods, 'period')} ({share})"
    return f"{periods}, {units.duration(throttling.total_ns)} in all" if throttling.throttled else f"none in {periods}"


def _processes(entries: tuple[CpuProcess, ...]) -> Table:
    listed, rest = shown(entries, "comm")
    rows = [
        (
            units.ratio(entry.cpu_ratio),
            units.count(entry.switches),
            number_or_dash(entry.samples),
            str(entry.pid),
            str(entry.node_pid),
            Name(entry.comm),
        )
        for entry in listed
    ]
    if rest:
        rows.append(
            (
                units.ratio(sum(entry.cpu_ratio for entry in rest)),
                units.count(sum(entry.switches for entry in rest)),
                number_or_dash(sum(entry.samples for entry in rest)),
                NONE,
                NONE,
                Name(OTHER),
            )
        )
    return Table(columns=(*right("CPU", "switches", "samples", "pid", "node pid"), left("process")), rows=tuple(rows))
