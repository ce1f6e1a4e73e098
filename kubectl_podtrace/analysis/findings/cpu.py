"""Rules about the CPU: limits that hold threads back, and CPUs that others or the target itself keep busy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cpu import Cpu
from kubectl_podtrace.analysis.findings.evidence import CRITICAL_RATIO, share, share_of_time
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations

THROTTLED_PERIODS: Final = 5
THROTTLED_RATIO: Final = 0.05
THROTTLED_EFFECT_RATIO: Final = 0.01
WAITS: Final = 100
WAITED_RATIO: Final = 0.2
WAITED_NS: Final = 5 * units.SECOND_NS
"""A burst of work waits on every node that has other work, too; only what goes on for a while is a lack."""
SATURATED_RATIO: Final = 0.9


def _throttled(section: Cpu, seen: Observations) -> Iterator[Trouble]:
    throttling = section.throttling
    if throttling is None or throttling.throttled < THROTTLED_PERIODS:
        return
    if throttling.throttled <= THROTTLED_RATIO * throttling.periods:
        return
    if share_of_time(throttling.total_ns, seen.duration_s) <= THROTTLED_EFFECT_RATIO:
        return
    periods = max(throttling.periods, throttling.throttled)
    of_all, took = share(throttling.throttled, periods), units.duration(throttling.total_ns)
    yield Trouble(
        severity="critical" if throttling.throttled >= CRITICAL_RATIO * periods else "warning",
        title="the CPU limit throttles",
        fact=f"{of_all} periods, {took} in all",
        evidence=f"threads were held back in {of_all} periods, {took} in all, while using "
        f"{units.ratio(section.total_ratio)} of a core on average",
        next_step="raise or remove the container's CPU limit, or run fewer threads at once (GOMAXPROCS, workers)",
    )


def _waited_s(section: Cpu) -> float:
    return section.block_by_cause.run_queue.sum_ns / units.SECOND_NS


def _counted_s(section: Cpu) -> float:
    """How long was counted: shorter than the trace where the topic was given up."""
    return section.switches / section.per_s if section.per_s else 0.0


def _is_starved(section: Cpu) -> bool:
    """It waited for a CPU longer than it ran on one, and often, and for a considerable part of the time."""
    counted_s = _counted_s(section)
    if not counted_s or section.block_by_cause.run_queue.count < WAITS:
        return False
    waited_s = _waited_s(section)
    if waited_s * units.SECOND_NS < WAITED_NS or waited_s < WAITED_RATIO * counted_s:
        return False
    return waited_s > section.total_ratio * counted_s


def _is_saturating(section: Cpu, seen: Observations) -> bool:
    return seen.cpus is not None and section.total_ratio >= SATURATED_RATIO * seen.cpus


def _waited(section: Cpu) -> str:
    waits = section.block_by_cause.run_queue
    ran = units.seconds(section.total_ratio * _counted_s(section))
    return (
        f"waited {units.seconds(_waited_s(section))} for a CPU and ran {ran}; "
        f"p99 of {units.counted(waits.count, 'wait')}: {units.duration(waits.p99_ns)}, max "
        f"{units.duration(waits.max_ns)}"
    )


def _saturated(section: Cpu, seen: Observations) -> Iterator[Trouble]:
    if not _is_starved(section) or not _is_saturating(section, seen):
        return
    used = f"{units.ratio(section.total_ratio)} of a core used, the node has {units.counted(seen.cpus or 0, 'CPU')}"
    yield Trouble(
        severity="warning",
        title="all CPUs are busy with it",
        fact=used,
        evidence=f"{used}; its threads {_waited(section)}",
        next_step="run fewer busy threads than there are CPUs, spread the load over more pods, or use a larger node",
    )


def _starved(section: Cpu, seen: Observations) -> Iterator[Trouble]:
    if not _is_starved(section) or _is_saturating(section, seen):
        return
    yield Trouble(
        severity="warning",
        title="threads wait for a CPU",
        fact=f"{units.seconds(_waited_s(section))}, and ran {units.ratio(section.total_ratio)} of a core",
        evidence=f"its threads {_waited(section)}",
        next_step="others keep the node busy (kubectl top): raise the container's CPU request, or move one of them; "
        "or it has more busy threads than CPUs",
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="cpu-throttled",
        looks_for="CPU throttling",
        section=lambda seen: seen.sections.cpu,
        check=_throttled,
        topics=("cpu",),
        raised=f"the CPU limit holds threads back in at least {THROTTLED_PERIODS} periods, more than "
        f"{units.ratio_threshold(THROTTLED_RATIO)} of them, and for more than "
        f"{units.ratio_threshold(THROTTLED_EFFECT_RATIO)} of the time",
        severity=f"critical from {units.ratio_threshold(CRITICAL_RATIO)} of the periods on; else warning",
        next_step="raise or remove the container's CPU limit, or run fewer threads at once",
    ),
    Rule(
        slug="cpu-saturated",
        looks_for="saturated CPUs",
        section=lambda seen: seen.sections.cpu,
        check=_saturated,
        topics=("cpu",),
        tracepoints=frozenset({"sched_wakeup"}),
        explained_by=frozenset({"cpu-throttled"}),
        raised=f"it uses {units.ratio_threshold(SATURATED_RATIO)} of all CPUs of the node, and its threads wait for "
        "one as `cpu-starved` says",
        severity="warning",
        next_step="run fewer busy threads, spread the load over more pods, or use a larger node",
    ),
    Rule(
        slug="cpu-starved",
        looks_for="waits for a CPU",
        section=lambda seen: seen.sections.cpu,
        check=_starved,
        topics=("cpu",),
        tracepoints=frozenset({"sched_wakeup"}),
        explained_by=frozenset({"cpu-throttled"}),
        raised=f"its threads wait for a CPU at least {WAITS} times, longer than they run on one, and for at least "
        f"{units.limit(WAITED_NS)} and {units.ratio_threshold(WAITED_RATIO)} of the time (several threads add up)",
        severity="warning",
        next_step="raise the container's CPU request, or move other busy pods away from the node",
    ),
)
