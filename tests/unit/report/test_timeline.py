"""The readable section of the timeline where there is little to tell."""

from __future__ import annotations

from dataclasses import replace

from kubectl_podtrace.analysis.timeline import Timeline
from kubectl_podtrace.report.document import Facts
from kubectl_podtrace.report.sections.timeline import timeline
from kubectl_podtrace.wire.records import Totals
from tests.unit.report.reports import report_of
from tests.unit.streams import Stream, activity, scope, totals_row

SHORT = "not told: each is shorter than the time between two readings"


def timeline_of(stream: Stream) -> Timeline:
    section = report_of(stream.fold()).timeline
    assert section is not None
    return section


def facts_of(section: Timeline) -> dict[str, str]:
    (block,) = timeline(section).blocks
    assert isinstance(block, Facts)
    return dict(block.pairs)


def test_of_a_trace_too_short_for_five_parts_that_is_said() -> None:
    stream = Stream()
    stream.add(scope())
    stream.add(activity((0, 0.1, 0.2, 0.3), (0, 5, 5, 11)), at_s=0.3)
    stream.add(Totals(rows=(totals_row("files.open", count=11),)), at_s=0.3)
    stream.end(0.3)
    facts = facts_of(timeline_of(stream))
    assert facts["five parts"] == SHORT
    assert facts["busiest 100 ms"].startswith("6 events, at ")


def test_a_stream_that_tells_of_events_and_of_no_time_is_still_reported() -> None:
    stream = Stream()
    stream.add(scope())
    stream.add(Totals(rows=(totals_row("files.open", count=11),)), at_s=0)
    stream.end(0)
    assert facts_of(timeline_of(stream))["five parts"] == SHORT


def test_parts_that_lines_are_missing_of_are_not_said_to_be_short() -> None:
    stream = Stream()
    stream.add(scope())
    stream.add(Totals(rows=(totals_row("files.open", count=11),)), at_s=60)
    stream.end(60)
    section = timeline_of(stream)
    untold = replace(
        section,
        windows=tuple(replace(window, events=None) for window in section.windows),
        buckets=tuple(replace(bucket, events=None, share_ratio=None) for bucket in section.buckets),
        untold_events=11,
    )
    facts = facts_of(untold)
    assert "five parts" not in facts
    assert facts["not told"] == "11 events in 60 windows of 1 s"
