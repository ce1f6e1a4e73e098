from __future__ import annotations

from dataclasses import replace

from kubectl_podtrace.analysis.findings.finding import Finding
from kubectl_podtrace.report.model import LiveReport
from kubectl_podtrace.screen.picture import Picture, Recorder
from tests.unit.report.reports import REPORTS
from tests.unit.screen.pictures import event
from tests.unit.streams import OFFSET, SECOND, STARTED


def live_with(*, events: int = 0, findings: tuple[Finding, ...] = ()) -> LiveReport:
    report = REPORTS["silent"]()
    summary = replace(report.summary, events=events)
    return LiveReport(
        window=replace(report, findings=findings), total=replace(report, summary=summary), realtime_offset_ns=OFFSET
    )


def finding(evidence: str) -> Finding:
    return Finding(
        rule="slow-fsync", severity="warning", title="fsyncs are slow", fact="", evidence=evidence, next_step=""
    )


def shown(recorder: Recorder, live: LiveReport, at_s: float, scopes: frozenset[int] | None = None) -> Picture:
    at_ns = STARTED + round(at_s * SECOND)
    return recorder.picture(live, at_ns=at_ns, scopes=scopes, kept_back=0, realtime_offset_ns=OFFSET)


def test_rates_are_differences_of_totals_and_a_gap_is_not_told() -> None:
    recorder = Recorder()
    shown(recorder, live_with(events=7), 1)
    shown(recorder, live_with(events=20), 2)
    shown(recorder, live_with(events=20), 3)
    picture = shown(recorder, live_with(events=56), 6)
    assert picture.rates["events"] == (13.0, 0.0, None, None, 12.0)


def test_a_finding_is_told_since_when_and_until_when() -> None:
    recorder = Recorder()
    first = shown(recorder, live_with(findings=(finding("1 of 2"),)), 1)
    again = shown(recorder, live_with(findings=(finding("2 of 3"),)), 2)
    over = shown(recorder, live_with(), 3)
    assert [(seen.evidence, seen.until) for seen in (*first.findings, *again.findings)] == [
        ("1 of 2", None),
        ("2 of 3", None),
    ]
    assert again.findings[0].since == first.findings[0].since
    assert over.findings[0].evidence == "2 of 3"
    assert over.findings[0].until is not None or over.live.window.summary.end is None


def test_events_of_other_containers_are_left_out() -> None:
    recorder = Recorder()
    recorder.see(event(scope=0, name="/ours"))
    recorder.see(event(scope=1, name="/theirs"))
    picture = shown(recorder, live_with(), 1, frozenset({0}))
    assert [each.name for each in picture.events(10, every=False)] == ["/ours"]


def test_memory_is_bounded_whatever_comes() -> None:
    recorder = Recorder()
    for number in range(5_000):
        recorder.see(event(name=str(number)))
        recorder.note(str(number))
    picture = shown(recorder, live_with(), 1)
    assert len(picture.notable) == 500
    assert len(picture.notes) == 20
    assert picture.events(2, every=True)[0].name == "4999"
