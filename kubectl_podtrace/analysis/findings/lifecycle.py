"""Rules about lives and deaths: processes that the kernel killed for memory, and what fails again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.evidence import SHOWN
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.lifecycle import LOOP_ENDS, CrashLoop, Lifecycle
from kubectl_podtrace.analysis.selection import OTHER

_NOT_FOUND: Final = 127


def _out_of_memory(section: Lifecycle, _: Observations) -> Iterator[Trouble]:
    if not section.oom_kills:
        return
    killed = sorted((each for each in section.programs if each.oom_kills), key=lambda each: -each.oom_kills)
    names = ", ".join(f"{each.comm} {units.count(each.oom_kills)}" for each in killed[:SHOWN] if each.comm != OTHER)
    fact = f"{units.counted(section.oom_kills, 'process', 'processes')}{f': {names}' if names else ''}"
    yield Trouble(
        severity="critical",
        title="out of memory",
        fact=f"the kernel killed {fact}",
        evidence=f"the kernel killed {fact}",
        next_step="compare the memory limit with what it needs; look for what grows",
    )


def _loops(section: Lifecycle, _: Observations) -> Iterator[Trouble]:
    loops = [each for each in section.crash_loops if each.kind == "program" and not each.signal]
    if not loops:
        return
    worst, shown = loops[0], ", ".join(_told(each) for each in loops[:SHOWN])
    yield Trouble(
        severity="warning",
        title="processes fail again and again",
        fact=shown,
        evidence=shown,
        next_step="the program that a shell was to start is not there: check PATH and the image"
        if worst.code == _NOT_FOUND
        else "look at what starts them, and at their last words on stderr",
    )


def _told(loop: CrashLoop) -> str:
    lived = f", after {units.duration(loop.lifetime_avg_ns)} on average" if loop.lifetime_avg_ns is not None else ""
    often = f", every {units.seconds(loop.every_s)}" if loop.every_s is not None else ""
    return f"{loop.name} {units.counted(loop.count, 'time')} with exit code {loop.code}{lived}{often}"


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="processes-oom-killed",
        looks_for="processes killed for memory",
        section=lambda seen: seen.sections.lifecycle,
        check=_out_of_memory,
        topics=("processes",),
        tracepoints=frozenset({"mark_victim"}),
        explained_by=frozenset({"container-oom-killed"}),
        raised="the kernel kills a process for want of memory, be it the node's or its cgroup's",
        severity="critical",
        next_step="compare the memory limit with what it needs; look for what grows",
    ),
    Rule(
        slug="processes-failed",
        looks_for="failing processes",
        section=lambda seen: seen.sections.lifecycle,
        check=_loops,
        topics=("processes",),
        explained_by=frozenset({"crash-loop"}),
        raised=f"at least {LOOP_ENDS} processes of a name end with the same exit code, not within one second, and no "
        "fewer than end well (code 1 of programs that answer by it, such as `grep`, is no bad end)",
        severity="warning",
        next_step="look at what starts them, and at their last words on stderr",
    ),
)
