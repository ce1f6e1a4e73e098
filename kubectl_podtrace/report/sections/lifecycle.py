"""The readable section of how long processes lived and how they ended."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_podtrace import units
from kubectl_podtrace.analysis.errno_names import signal_name
from kubectl_podtrace.analysis.lifecycle import CrashLoop, Lifecycle, Program
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE, first_rows, latency_table, listing, number_or_dash

TITLE = "Process lifetimes"


def lifecycle(section: Lifecycle) -> Section:
    """How many processes ended and how many badly, how long they lived, and what ends badly again and again."""
    if not section.ended and not section.crash_loops:
        return Section(title=TITLE, blocks=(), empty="no process ended")
    pairs = [("ended", f"{units.counted(section.ended, 'process', 'processes')}, {units.count(section.failed)} badly")]
    if section.oom_kills:
        pairs.append(("killed for memory", units.counted(section.oom_kills, "process", "processes")))
    blocks: list[Block] = [Facts(pairs=tuple(pairs))]
    blocks.extend(latency_table((("from start to end", section.lifetimes),), title="lifetime"))
    if any(each.comm != OTHER for each in section.programs):
        blocks.append(_programs(section.programs))
    if section.crash_loops:
        blocks.append(_loops(section.crash_loops))
    return Section(title=TITLE, blocks=tuple(blocks))


def _programs(entries: tuple[Program, ...]) -> Table:
    columns = (*right("ended", "badly", "for memory", "lived (avg)", "longest"), left("program"))
    return listing(columns, entries, "comm", _program_row, _programs_together)


def _program_row(each: Program) -> Row:
    return (
        units.count(each.ended),
        number_or_dash(each.failed),
        number_or_dash(each.oom_kills),
        units.duration(each.lifetime_avg_ns),
        units.duration(each.lifetime_max_ns),
        Name(each.comm),
    )


def _programs_together(rest: Sequence[Program]) -> Row:
    counts = [sum(numbers) for numbers in zip(*((r.ended, r.failed, r.oom_kills) for r in rest), strict=True)]
    return (units.count(counts[0]), number_or_dash(counts[1]), number_or_dash(counts[2]), NONE, NONE, Name(OTHER))


def _loops(entries: tuple[CrashLoop, ...]) -> Table:
    rows = tuple(
        (
            units.count(each.count),
            NONE if each.every_s is None else units.seconds(each.every_s),
            _how(each),
            NONE if each.lifetime_avg_ns is None else units.duration(each.lifetime_avg_ns),
            Name(_who(each)),
        )
        for each in entries
    )
    return first_rows((*right("crashes", "every"), left("by"), *right("lived (avg)"), left("crash loop")), rows)


def _how(loop: CrashLoop) -> str:
    how = signal_name(loop.signal) if loop.signal else f"code {loop.code}"
    return f"{how}, for memory" if loop.oom_kills else how


def _who(loop: CrashLoop) -> str:
    if loop.kind == "program":
        return loop.name
    return f"container {loop.name} ({loop.reason})" if loop.reason else f"container {loop.name}"
