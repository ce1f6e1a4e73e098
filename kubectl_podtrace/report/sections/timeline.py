"""The readable section of how events spread over time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.timeline import BURST_FACTOR, Burst, Timeline, TimelineBucket
from kubectl_podtrace.report.document import Facts, Gauge, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE

TITLE: Final = "Activity timeline"
SHOWN_BURSTS: Final = 5
BAR: Final = 40
"""The length of the bar that stands for all events."""


def timeline(section: Timeline) -> Section:
    """The five parts of the trace, its busiest window, and bursts."""
    if not section.untold_events and not any(window.events for window in section.windows):
        return Section(title=TITLE, blocks=(), empty="no events")
    buckets = [_buckets(section.buckets)] if _is_told(section.buckets) else []
    return Section(title=TITLE, blocks=(*buckets, _facts(section)))


def _is_told(buckets: tuple[TimelineBucket, ...]) -> bool:
    return any(bucket.events is not None for bucket in buckets)


def _is_short(section: Timeline) -> bool:
    """Whether the parts have no numbers because the trace is shorter than five windows."""
    if _is_told(section.buckets):
        return False
    parts_s = [(bucket.end - bucket.start).total_seconds() for bucket in section.buckets]
    return max(parts_s, default=0.0) < section.window_s


def _buckets(buckets: tuple[TimelineBucket, ...]) -> Table:
    first = buckets[0].start
    return Table(
        columns=(*right("from (UTC)", "after", "events", "share"), left("")),
        rows=tuple(_bucket(bucket, first) for bucket in buckets),
    )


def _bucket(bucket: TimelineBucket, first: datetime) -> tuple[str, ...]:
    after = units.seconds((bucket.start - first).total_seconds()) if bucket.start > first else NONE
    times = (units.clock(bucket.start), after)
    if bucket.events is None or bucket.share_ratio is None:
        return (*times, NONE, NONE, "not known")
    return (*times, units.count(bucket.events), units.ratio(bucket.share_ratio), Gauge(bucket.share_ratio, BAR))


def _facts(section: Timeline) -> Facts:
    width = units.limit(round(section.window_s * units.SECOND_NS))
    pairs: list[tuple[str, str]] = []
    if _is_short(section):
        pairs.append(("five parts", "not told: each is shorter than the time between two readings"))
    busiest = max(section.windows, key=lambda window: window.events or 0, default=None)
    if busiest and busiest.events:
        when = f"at {units.clock(busiest.start)} UTC"
        pairs.append((f"busiest {width}", f"{units.counted(busiest.events, 'event')}, {when}"))
    pairs.append((f"bursts (1 s, > {units.times(BURST_FACTOR)} mean)", _bursts(section)))
    untold = sum(window.events is None for window in section.windows)
    if untold:
        windows = units.counted(untold, f"window of {width}", f"windows of {width}")
        pairs.append(("not told", f"{units.counted(section.untold_events, 'event')} in {windows}"))
    return Facts(pairs=tuple(pairs))


def _bursts(section: Timeline) -> str:
    if not section.burst_windows:
        return "none"
    highest = sorted(section.bursts, key=lambda burst: (-burst.per_s, burst.start))[:SHOWN_BURSTS]
    more = ", ..." if section.burst_windows > len(highest) else ""
    return f"{units.count(section.burst_windows)}: {', '.join(map(burst_text, highest))}{more}"


def burst_text(burst: Burst) -> str:
    """When it was, and how much."""
    return f"{units.clock(burst.start)} UTC {units.rate(burst.per_s)} ({units.times(burst.factor)})"
