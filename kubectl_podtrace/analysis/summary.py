"""The summary: how many events, how fast, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import Selection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The section `summary`; times are null when the probes were never attached."""

    events: int
    events_per_s: float
    start: datetime | None
    end: datetime | None
    duration_s: float
    partial: tuple[Partial, ...]


def summary(selection: Selection, *, realtime_offset_ns: int | None) -> Summary:
    """The section `summary`; `realtime_offset_ns` is the header's, None when the trace never began."""
    times = (selection.start_ns, selection.end_ns)
    start, end = (None if realtime_offset_ns is None else wall_clock(ns + realtime_offset_ns) for ns in times)
    return Summary(
        events=selection.events,
        events_per_s=selection.per_s(selection.events),
        start=start,
        end=end,
        duration_s=selection.duration_s,
        partial=selection.partial_of("summary"),
    )


def wall_clock(epoch_ns: int) -> datetime:
    """A time in nanoseconds since 1970, never outside what a calendar can say.

    >>> wall_clock(1_000_000_000_000_000).isoformat(), wall_clock(1 << 64).year, wall_clock(-(1 << 70)).year
    ('1970-01-12T13:46:40+00:00', 2554, 1970)
    """
    microseconds = max(epoch_ns, 0) // 1_000
    latest = (_LATEST - _EPOCH) // timedelta(microseconds=1)
    return _EPOCH + timedelta(microseconds=min(microseconds, latest))
