"""The summary: how many events, how fast, from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import Selection
from kubectl_podtrace.analysis.wall_clock import wall_clock


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
