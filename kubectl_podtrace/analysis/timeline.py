"""The activity timeline: how the events spread over windows and over five parts of the trace, and bursts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kubectl_podtrace.analysis.growth import READING_NS, edges_of, parts_of
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import LISTED, Selection
from kubectl_podtrace.analysis.wall_clock import wall_clock
from kubectl_podtrace.units import SECOND_NS

BUCKETS: Final = 5
BURST_FACTOR: Final = 2.0
BURST_LEAST_EVENTS: Final = 10
BURST_LEAST_WINDOWS: Final = 2
_WIDTHS_NS: Final = (
    READING_NS,
    *(seconds * SECOND_NS for seconds in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600)),
)
"""Windows have the shortest of these widths with which they are no more than a list holds."""


@dataclass(frozen=True, kw_only=True)
class TimelineWindow:
    """A window by its start; `events` is null where no line of the stream tells of it: some are missing, or late."""

    start: datetime
    events: int | None


@dataclass(frozen=True, kw_only=True)
class TimelineBucket:
    """A fifth of the trace; `share_ratio` is of all events.

    Both are null where no line of the stream tells of it, and where a fifth is shorter than the time between two
    readings (0.1 s, seldom more).
    """

    start: datetime
    end: datetime
    events: int | None
    share_ratio: float | None


@dataclass(frozen=True, kw_only=True)
class Burst:
    """A window of 1 s with more than twice the mean rate; `factor` is how many times the mean it is."""

    start: datetime
    per_s: float
    factor: float


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The section `timeline`. The last window ends with the trace, and may be shorter than `window_s`.

    `untold_events` came in windows without a number. Of `burst_windows` the hundred highest are in `bursts`.
    """

    window_s: float
    windows: tuple[TimelineWindow, ...]
    untold_events: int
    buckets: tuple[TimelineBucket, ...]
    bursts: tuple[Burst, ...]
    burst_windows: int
    partial: tuple[Partial, ...]


def timeline(selection: Selection) -> Timeline:
    """The section `timeline` of the selected scopes."""
    found = _Timeline(selection)
    width_ns = found.width_ns()
    windows = found.windows(width_ns)
    bursts = found.bursts()
    highest = sorted(bursts, key=lambda burst: (-burst.per_s, burst.start))[:LISTED]
    return Timeline(
        window_s=width_ns / SECOND_NS,
        windows=windows,
        untold_events=max(selection.events - sum(window.events or 0 for window in windows), 0),
        buckets=found.buckets(),
        bursts=tuple(sorted(highest, key=lambda burst: burst.start)),
        burst_windows=len(bursts),
        partial=selection.partial_of("timeline"),
    )


def bursts_of(amounts: Sequence[int | None], *, total: int, duration_s: float) -> list[tuple[int, float]]:
    """Which windows of 1 s are bursts, by their place, and how many times the mean rate of the trace each is.

    There are none in fewer than 10 events or 2 windows.

    >>> bursts_of([3, 30, None, 3], total=40, duration_s=4.0)
    [(1, 3.0)]
    """
    if total < BURST_LEAST_EVENTS or len(amounts) < BURST_LEAST_WINDOWS:
        return []
    mean_per_s = total / duration_s
    return [
        (place, amount / mean_per_s)
        for place, amount in enumerate(amounts)
        if amount is not None and amount > BURST_FACTOR * mean_per_s
    ]


class _Timeline:
    """A selection's events over time."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._resolution_ns = selection.growth["events"].resolution_ns

    def width_ns(self) -> int:
        length_ns = self._selection.end_ns - self._selection.start_ns
        possible = [width for width in _WIDTHS_NS if width >= self._resolution_ns]
        return next((width for width in possible if length_ns <= LISTED * width), max(length_ns, 1))

    def windows(self, width_ns: int) -> tuple[TimelineWindow, ...]:
        edges = edges_of(self._selection.start_ns, self._selection.end_ns, width_ns)
        amounts = self._selection.amounts("events", edges)
        return tuple(
            TimelineWindow(start=self._time(start_ns), events=events)
            for start_ns, events in zip(edges[:-1], amounts, strict=True)
        )

    def buckets(self) -> tuple[TimelineBucket, ...]:
        edges = parts_of(self._selection.start_ns, self._selection.end_ns, BUCKETS)
        amounts = self._selection.amounts("events", edges)
        if edges and edges[1] - edges[0] < self._resolution_ns:
            amounts = (None,) * BUCKETS
        total = self._selection.events
        return tuple(
            TimelineBucket(
                start=self._time(start_ns),
                end=self._time(end_ns),
                events=events,
                share_ratio=None if events is None else events / total if total else 0.0,
            )
            for start_ns, end_ns, events in zip(edges[:-1], edges[1:], amounts, strict=True)
        )

    def bursts(self) -> list[Burst]:
        start_ns = self._selection.start_ns
        amounts = self._selection.amounts("events", edges_of(start_ns, self._selection.end_ns, SECOND_NS))
        found = bursts_of(amounts, total=self._selection.events, duration_s=self._selection.duration_s)
        return [
            Burst(start=self._time(start_ns + place * SECOND_NS), per_s=float(amounts[place] or 0), factor=factor)
            for place, factor in found
        ]

    def _time(self, at_ns: int) -> datetime:
        return wall_clock(at_ns + self._selection.realtime_offset_ns)
