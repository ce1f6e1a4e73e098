"""Events over the time of the trace, with what happened to the pod, to the stream and to the probes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.pod_timeline import Incident, Kind
from kubectl_podtrace.analysis.timeline import Timeline
from kubectl_podtrace.report.charts.chart import Burst, Marker, TimeChart, Tone, Window
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.sections.pod_timeline import incident_text
from kubectl_podtrace.report.sections.timeline import burst_text

SHOWN: Final = 20
"""So many markers at most; where there are more, those of trouble stay."""
_TONES: Final[dict[Kind, Tone]] = {
    "start": "good", "end": "doubt", "oom_kill": "bad", "process_kill": "bad", "probe_failure": "bad",
    "eviction": "bad", "deletion": "doubt", "warning": "bad", "remark": "plain",
}  # fmt: skip
_WORST_FIRST: Final[tuple[Tone, ...]] = ("bad", "doubt", "good", "plain")


def activity(report: Report) -> tuple[TimeChart, ...]:
    """The chart of the section `timeline`; none where nothing was measured, or nothing happened at all."""
    section, start, end = report.timeline, report.summary.start, report.summary.end
    if section is None or start is None or end is None or not section.windows or end <= start:
        return ()
    markers = sorted(_markers(report, start, end), key=lambda marker: marker.at)
    if not markers and all(window.events == 0 for window in section.windows):
        return ()
    worst = sorted(markers, key=lambda marker: _WORST_FIRST.index(marker.tone))[:SHOWN]
    kept = tuple(marker for marker in markers if marker in worst)[:SHOWN]
    return (
        TimeChart(
            title="Events over time",
            summary=_summary(report, section),
            start=start,
            end=end,
            windows=tuple(_windows(section, end)),
            bursts=tuple(
                Burst(start=each.start, end=min(each.start + timedelta(seconds=1), end), text=burst_text(each))
                for each in section.bursts
            ),
            markers=kept,
            unshown=len(markers) - len(kept),
        ),
    )


def _summary(report: Report, section: Timeline) -> str:
    width = units.limit(round(section.window_s * units.SECOND_NS))
    told = f"{units.counted(report.summary.events, 'event')}, each bar {width}"
    untold = sum(window.events is None for window in section.windows)
    return f"{told}; {units.counted(untold, 'window')} of no number" if untold else told


def _windows(section: Timeline, end: datetime) -> Iterator[Window]:
    edges = [*(window.start for window in section.windows), end]
    for window, (since, until) in zip(section.windows, pairwise(edges), strict=True):
        events = "no number is known" if window.events is None else units.counted(window.events, "event")
        text = f"{units.clock(since)} UTC: {events}"
        yield Window(start=since, end=until, events=window.events, text=text)


def _markers(report: Report, start: datetime, end: datetime) -> Iterator[Marker]:
    if report.kubernetes_events:
        for incident in report.kubernetes_events.incidents:
            if incident.at is not None:
                yield _of_incident(incident, incident.at, start, end)
    for shed in report.cost.shed:
        names = ", ".join(shed.topics)
        yield Marker(
            at=_within(shed.at, start, end), until=end, tone="doubt", text=f"counted no more ({names}): {shed.lacks}"
        )
    for gap in report.trust.gaps:
        lines = units.counted(gap.lines, "line")
        yield Marker(at=_within(gap.at, start, end), until=None, tone="doubt", text=f"{lines} of the stream missing")


def _of_incident(incident: Incident, at: datetime, start: datetime, end: datetime) -> Marker:
    until = None if incident.last_at is None or incident.last_at <= at else _within(incident.last_at, start, end)
    tone = _TONES[incident.kind]
    if incident.kind == "end" and incident.exit_code:
        tone = "bad"
    return Marker(at=_within(at, start, end), until=until, tone=tone, text=incident_text(incident))


def _within(at: datetime, start: datetime, end: datetime) -> datetime:
    """The cluster cuts fractions of a second off, so what it tells of can stand before the trace."""
    return min(max(at, start), end)
