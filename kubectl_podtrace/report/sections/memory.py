"""The readable section of memory: page faults, limits, and who holds most."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_podtrace import units
from kubectl_podtrace.analysis.memory import ContainerMemory, Memory, MemoryProcess
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE, first_rows, listing, number_or_dash

TITLE = "Memory"


def memory(section: Memory) -> Section:
    """Page faults, kills, the limit and how near the containers came to it, and the largest processes."""
    if not (section.containers or section.processes or section.minor_faults):
        return Section(title=TITLE, blocks=(), empty="nothing is known: no process ran")
    pairs = [
        ("major faults (from disk)", f"{units.count(section.major_faults)} ({units.rate(section.major_faults_per_s)})"),
        ("minor faults", f"{units.count(section.minor_faults)} ({units.rate(section.minor_faults_per_s)})"),
        ("killed for memory", units.counted(section.oom_kills, "process", "processes")),
        *_limit(section),
    ]
    blocks: list[Block] = [Facts(pairs=tuple(pairs))]
    if len(section.containers) > 1:
        blocks.append(_containers(section.containers))
    if section.processes:
        blocks.append(_processes(section.processes))
    return Section(title=TITLE, blocks=tuple(blocks))


def _limit(section: Memory) -> tuple[tuple[str, str], ...]:
    if len(section.containers) > 1:
        return ()
    if not section.containers:
        return (("limit", "not known: the target's cgroup has no memory controller"),)
    only = section.containers[0]
    limit = "none" if only.limit_bytes is None else units.size(only.limit_bytes)
    used = "" if only.used_ratio is None else f" ({units.ratio(only.used_ratio)} of the limit)"
    return (
        ("limit", limit),
        ("working set", f"{units.size(only.working_set_peak_bytes)} at most{used}"),
        ("used with file cache", f"{_peak(only)} at most, {units.size(only.current_bytes)} at the end"),
    )


def _peak(container: ContainerMemory) -> str:
    size = units.size(container.peak_bytes)
    return size if container.peak_is_exact else units.Amount(f"~{size}", size.value)


def _containers(entries: tuple[ContainerMemory, ...]) -> Table:
    return first_rows(
        (*right("limit", "working set", "of it", "peak", "now", "killed"), left("container")),
        tuple(
            (
                NONE if each.limit_bytes is None else units.size(each.limit_bytes),
                units.size(each.working_set_peak_bytes),
                NONE if each.used_ratio is None else units.ratio(each.used_ratio),
                _peak(each),
                units.size(each.current_bytes),
                number_or_dash(each.oom_kills),
                Name(each.container or NONE),
            )
            for each in entries
        ),
    )


def _processes(entries: tuple[MemoryProcess, ...]) -> Table:
    columns = (*right("resident (most)", "major", "minor", "pid", "node pid"), left("process"))
    return listing(columns, entries, "comm", _process_row, _processes_together)


def _process_row(each: MemoryProcess) -> Row:
    return (
        units.size(each.resident_peak_bytes) if each.resident_peak_bytes else NONE,
        number_or_dash(each.major_faults),
        units.count(each.minor_faults),
        str(each.pid),
        str(each.node_pid),
        Name(each.comm),
    )


def _processes_together(rest: Sequence[MemoryProcess]) -> Row:
    major, minor = sum(each.major_faults for each in rest), sum(each.minor_faults for each in rest)
    return (NONE, number_or_dash(major), units.count(minor), NONE, NONE, Name(OTHER))
