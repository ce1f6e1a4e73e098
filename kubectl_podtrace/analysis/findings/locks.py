"""The rule about locks: words of memory that threads wait for because another one holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.evidence import FEW, share_of_time
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.locks import LockHotspot, Locks

WAITED_NS: Final = 2 * units.SECOND_NS
WAITED_RATIO: Final = 0.2
CRITICAL_RATIO: Final = 1.0


def _contended(section: Locks, seen: Observations) -> Iterator[Trouble]:
    hot = [each for each in section.hotspots if _is_hot(each, seen.duration_s)]
    if not hot:
        return
    worst = hot[0]
    place = worst.symbol or worst.address
    fact = (
        f"{units.counted(worst.waits, 'wait')} of {units.counted(worst.waiters, 'thread')} for {place} in {worst.comm} "
        f"(pid {worst.pid}), {units.duration(worst.total_wait_ns)} in all"
    )
    holder = worst.holder
    held = f", most ended by {holder.comm} (thread {holder.tid})" if holder else ""
    others = f"; {units.counted(len(hot) - 1, 'other lock')} too" if len(hot) > 1 else ""
    yield Trouble(
        severity="critical" if share_of_time(worst.total_wait_ns, seen.duration_s) >= CRITICAL_RATIO else "warning",
        title="threads fight for a lock",
        fact=fact,
        evidence=f"{fact}, max {units.duration(worst.max_wait_ns)}{held}{others}",
        next_step="hold it for less time, or split it: see what its holder does meanwhile",
    )


def _is_hot(spot: LockHotspot, duration_s: float) -> bool:
    if spot.kind != "lock" or spot.waits < FEW or spot.total_wait_ns < WAITED_NS:
        return False
    return share_of_time(spot.total_wait_ns, duration_s) > WAITED_RATIO


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="lock-contention",
        looks_for="lock contention",
        section=lambda seen: seen.sections.locks,
        check=_contended,
        topics=("cpu", "locks"),
        raised=f"threads wait at least {FEW} times for a lock that another one holds, for {units.limit(WAITED_NS)} "
        f"or more in all, and for more than {units.ratio_threshold(WAITED_RATIO)} of the time (several threads add "
        "up)",
        severity=f"critical where they wait for all of the time ({units.ratio_threshold(CRITICAL_RATIO)}); else "
        "warning",
        next_step="hold the lock for less time, or split it",
    ),
)
