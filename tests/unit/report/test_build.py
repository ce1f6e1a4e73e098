"""From a fold to a report: containers, topics, headline, windows."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from kubectl_podtrace.analysis.pod_history import ContainerRun, PodHistory
from kubectl_podtrace.report.build import ReportOptions, build_window
from kubectl_podtrace.report.document import Facts, Table
from kubectl_podtrace.report.render.live import LiveRenderer
from kubectl_podtrace.report.sections import document
from kubectl_podtrace.report.sections.overview import trust as trust_section
from kubectl_podtrace.report.sections.processes import process_activity
from kubectl_podtrace.report.sections.udp import udp as udp_section
from kubectl_podtrace.report.target import TargetInfo
from kubectl_podtrace.source import Cleanup
from kubectl_podtrace.wire.records import Errors, Histogram, Processes, ProcessRow, Refusal, Totals, TotalsRow
from tests.unit.report.reports import API, CLIENT, healthy, report_of, second, silent, truncated, typical
from tests.unit.shop import shop_stream
from tests.unit.streams import (
    CONTAINER_ID,
    HEADER,
    SIDECAR_ID,
    Stream,
    error_rows,
    folded,
    probe,
    scope,
    timed,
    totals_row,
)

THIRD_ID = "ef" * 32


def two_containers() -> Stream:
    stream = Stream()
    stream.add(scope(0, CONTAINER_ID), scope(1, SIDECAR_ID), scope(2, THIRD_ID))
    rows = tuple(totals_row("files.read", scope=index, count=10**index) for index in range(3))
    stream.add(Totals(rows=rows))
    stream.end(10)
    return stream


BOTH = replace(API, container_names={CONTAINER_ID: "api", SIDECAR_ID: "proxy"})


def test_only_the_selected_container_is_reported() -> None:
    for name, events in (("api", 1), ("proxy", 10)):
        report = report_of(two_containers().fold(), replace(BOTH, selected=frozenset({name})))
        assert report.summary.events == events
        assert report.target.containers == (name,)


def test_events_of_a_container_without_a_name_are_mentioned_when_they_are_left_out() -> None:
    report = report_of(two_containers().fold(), replace(BOTH, selected=frozenset({"api"})))
    (remark,) = report.notices
    assert remark.slug == "unknown-containers"
    assert remark.text == "100 events of containers not known by name (efefefefefef) are not in this report"


def test_all_containers_are_listed_those_without_a_name_by_their_short_id() -> None:
    report = report_of(two_containers().fold(), replace(BOTH, selected=None))
    assert report.summary.events == 111
    assert report.target.containers == ("api", "proxy", "efefefefefef")
    assert [(entry.name, entry.events) for entry in report.target.container_events] == [
        ("api", 1),
        ("proxy", 10),
        ("efefefefefef", 100),
    ]


def test_the_runs_of_a_container_that_restarts_add_up() -> None:
    names = {CONTAINER_ID: "api", SIDECAR_ID: "api", THIRD_ID: "other"}
    report = report_of(two_containers().fold(), replace(API, container_names=names))
    assert report.summary.events == 11
    assert [(entry.name, entry.runs) for entry in report.target.container_events] == [("api", 2)]


def test_a_container_without_a_name_or_an_event_is_not_listed() -> None:
    stream = Stream()
    stream.add(scope(0, CONTAINER_ID), scope(1, THIRD_ID))
    stream.add(Totals(rows=(totals_row("tcp.receive", count=7), totals_row("tcp.receive", scope=1, would_block=5))))
    stream.end(10)
    target = report_of(stream.fold(), replace(API, selected=None)).target
    assert target.containers == ("api", "proxy")
    assert [(entry.name, entry.runs, entry.events) for entry in target.container_events] == [("api", 1, 7)]


def test_a_topic_that_was_not_asked_for_is_null() -> None:
    stream = Stream(replace(HEADER, topics=("tcp", "connections")))
    stream.end(1)
    report = report_of(stream.fold())
    assert report.tcp is not None
    assert report.connections is not None
    assert (report.files, report.processes, report.descriptors) == (None, None, None)


def test_a_topic_whose_required_probe_is_absent_is_null_and_never_zero() -> None:
    stream = Stream()
    stream.add(probe("raw_tracepoint:a", "connections", attached=False), probe("raw_tracepoint:b", "files"))
    stream.add(probe("raw_tracepoint:c", "tcp", attached=False, required=False))
    stream.end(1)
    report = report_of(stream.fold())
    assert report.connections is None
    assert report.tcp is not None
    assert report.files is not None


def test_a_topic_lacks_what_the_one_lacks_that_it_rests_on() -> None:
    stream = Stream()
    stream.add(probe("raw_tracepoint:sched_switch", "cpu", attached=False))
    stream.end(1)
    report = report_of(stream.fold())
    assert (report.cpu, report.locks) == (None, None)


def test_nothing_is_measured_before_the_probes_are_attached() -> None:
    report = report_of(folded(Stream().lines[:1]))
    assert (report.tcp, report.files) == (None, None)
    assert report.summary.start == CLIENT.started_at
    assert report.headline.verdict == "nothing was traced: the stream ended before the probes were attached"


def test_a_healthy_report_says_so_and_names_what_came_closest_to_trouble() -> None:
    headline = healthy().headline
    assert headline.verdict == "no findings; 19 events in 2.00 s"
    assert headline.facts == ("slowest: a file write of 40.0 µs (p99 of 17: 39.9 µs)", "errors: none")
    assert headline.trust == "complete; nothing lost; 1 probe attached"


def facts_of(*operations: tuple[TotalsRow, Histogram]) -> tuple[str, ...]:
    stream = Stream()
    stream.add(scope())
    stream.add(Totals(rows=tuple(row for row, _ in operations)), *(histogram for _, histogram in operations))
    stream.end(60)
    return report_of(stream.fold()).headline.facts


def test_the_slowest_is_what_worked_longest_and_no_receive_that_waited_for_its_peer() -> None:
    idle = timed("tcp.receive", [45_000_000_000])
    facts = facts_of(idle, timed("udp.receive", [46_000_000_000]), timed("tcp.send", [90_000] * 3))
    assert facts[0] == "slowest: a TCP send of 90.0 µs (p99 of 3: 88.1 µs)"


def test_a_receive_is_the_slowest_where_nothing_else_was_timed_and_is_said_to_wait() -> None:
    facts = facts_of(timed("tcp.receive", [45_000_000_000]), timed("udp.receive", [1_000]))
    assert facts[0] == "slowest: a TCP receive of 45.0 s, its wait for data included (p99 of 1: 44.0 s)"


def test_processes_beyond_the_first_ten_are_in_the_rest_also_where_one_is_like_another() -> None:
    stream = Stream()
    stream.add(scope(), Totals(rows=(totals_row("files.read", count=36),)))
    rows = tuple(
        ProcessRow(scope=0, pid=7, node_pid=1_007, start_ns=start, comm="worker", events=3, alive=False)
        for start in range(12)
    )
    stream.add(Processes(rows=rows))
    stream.end(1)
    section = report_of(stream.fold()).processes
    assert section is not None
    table = process_activity(section).blocks[-1]
    assert isinstance(table, Table)
    assert [row[2] for row in table.rows] == ["3"] * 10 + ["6"]


def test_errors_of_both_directions_are_listed_the_most_frequent_first() -> None:
    stream = Stream()
    stream.add(scope())
    stream.add(
        Totals(rows=(totals_row("udp.send", count=100, errors=3), totals_row("udp.receive", count=60, errors=8)))
    )
    stream.add(Errors(rows=(*error_rows("udp.send", {1: 2, 111: 1}), *error_rows("udp.receive", {111: 8}))))
    stream.end(1)
    report = report_of(stream.fold())
    assert report.udp is not None
    facts = udp_section(report.udp, report.settings).blocks[-1]
    assert isinstance(facts, Facts)
    assert ("error rate (threshold 10 %)", "6.9 %: ECONNREFUSED 9, EPERM 2") in facts.pairs


def test_what_went_through_io_uring_stands_in_the_headline_and_under_trust() -> None:
    stream = Stream(replace(HEADER, topics=("files", "tcp", "descriptors")))
    stream.add(scope(), probe("raw_tracepoint:sys_exit", "files"), at_s=0.1)
    stream.add(Totals(rows=(totals_row("io_uring.transfer", count=1_009), totals_row("io_uring.close", count=1))))
    stream.add(Totals(rows=(totals_row("files.read", count=1),)))
    stream.end(2)
    report = report_of(stream.fold())
    assert report.headline.trust == "complete but for 1,010 operations through io_uring; nothing lost; 1 probe attached"
    (block,) = trust_section(report).blocks
    assert isinstance(block, Facts)
    assert ("not counted", "1,009 reads and writes through io_uring: in no number of files or tcp") in block.pairs
    unfinished = report_of(folded(stream.lines[:-1])).headline.trust
    assert "1,010 operations through io_uring not counted" in unfinished
    out = io.StringIO()
    window = build_window(stream.fold(), target=API, options=ReportOptions(), client=CLIENT)
    LiveRenderer(width=80, color=False).render(window, out)
    assert "1,010 operations through io_uring" in out.getvalue()


def test_a_report_with_issues_begins_with_the_worst() -> None:
    headline = typical().headline
    assert headline.verdict == "7 findings, 2 critical, 3 warnings, 2 info; 30,211 events in 30.0 s"
    assert [fact.partition(":")[0] for fact in headline.facts] == ["out of memory", "descriptors leak"]
    assert headline.next_step == "compare the memory limit with what it needs; look for what grows"


def test_a_report_says_first_what_is_wrong_or_what_was_looked_for_in_vain() -> None:
    report = typical()
    first = document(report)[0]
    (block,) = first.blocks
    assert isinstance(block, Facts)
    assert (first.title, block.pairs[0][0]) == ("Potential issues", "critical")
    assert [text for label, text in block.pairs if label == "next step"] == [each.next_step for each in report.findings]
    nothing = document(healthy())[0].empty
    assert nothing.startswith("none found; looked for processes killed for memory, failing processes, ")
    assert "DNS" not in nothing, "it was not traced"


def test_a_trace_without_an_event_tells_of_what_happened_to_its_pod_too() -> None:
    stream = Stream()
    stream.add(scope(), probe("raw_tracepoint:sys_exit", "files"), at_s=0.1)
    stream.end(30)
    run = ContainerRun(
        container="api", container_id=CONTAINER_ID, number=1, ended_at=second(2), reason="Error", exit_code=3
    )
    headline = report_of(stream.fold(), replace(API, history=PodHistory(phase="Failed", runs=(run,)))).headline
    assert headline.verdict == "no events in 30.0 s: container api is not running (the pod is Failed)"
    assert headline.facts == ("containers end with errors: api 1 time (exit 3)",)
    assert headline.next_step == "its last words: kubectl logs --previous -c api"


def test_a_command_that_podtrace_ended_itself_has_not_failed() -> None:
    ended = TargetInfo(command=("serve",), exit_status=-15)
    stream = Stream()
    stream.add(Totals(rows=(totals_row("files.read", count=1),)))
    stream.end(1)
    assert [each.rule for each in report_of(stream.fold(), ended).findings] == ["command-failed"]
    assert report_of(stream.fold(), replace(ended, was_ended=True)).findings == ()


def test_a_silent_container_is_told_from_one_that_was_never_seen() -> None:
    assert silent().headline.verdict == "no events in 30.0 s: container api did nothing that was traced"
    stream = Stream()
    stream.end(30)
    never = report_of(stream.fold()).headline
    assert never.verdict == "no events in 30.0 s: container api was not seen running"
    assert "kubectl get pod" in never.next_step


def test_a_refusal_is_the_verdict() -> None:
    stream = Stream()
    stream.add(Refusal(slug="btf", text="this kernel has no BTF", hint="use a newer one"))
    headline = report_of(stream.fold()).headline
    assert (headline.verdict, headline.next_step) == ("nothing was traced: this kernel has no BTF", "use a newer one")


def test_a_truncated_report_says_as_of_when_its_numbers_are() -> None:
    report = truncated()
    assert not report.trust.complete
    assert "as of 2026-01-01 00:00:31 UTC" in report.headline.trust
    assert "17 lost in the kernel" in report.headline.trust
    assert "5 lines missing" in report.headline.trust


def test_thresholds_are_those_that_were_set() -> None:
    stream = Stream(replace(HEADER, rtt_threshold_ns=7_500_000, fs_threshold_ns=1_250_000))
    stream.end(1)
    report = report_of(stream.fold(), options=ReportOptions(error_threshold_ratio=0.025))
    assert report.tcp is not None
    assert report.files is not None
    assert (report.tcp.rtt.threshold_ns, report.files.slow_threshold_ns) == (7_500_000, 1_250_000)
    assert report.settings.error_threshold_ratio == 0.025


def reads_until(second: int) -> Stream:
    """17 reads in each second."""
    stream = Stream()
    stream.add(scope(), at_s=0.1)
    for now in range(1, second + 1):
        stream.add(Totals(rows=(totals_row("files.read", count=17 * now),)), at_s=now)
        stream.beat(now)
    return stream


@pytest.mark.parametrize(("second", "seconds", "events"), [(1, 1, 17), (3, 3, 51), (5, 5, 85), (6, 5, 85), (60, 5, 85)])
def test_a_window_holds_the_newest_five_seconds(second: int, seconds: int, events: int) -> None:
    live = build_window(reads_until(second).fold(), target=API, options=ReportOptions(), client=CLIENT)
    assert live.window.summary.duration_s == pytest.approx(seconds)
    assert live.window.summary.events == events
    assert live.window.summary.events_per_s == pytest.approx(17)
    assert live.total.summary.events == 17 * second


def test_a_window_before_the_first_heartbeat_is_all_there_is() -> None:
    live = build_window(Stream().fold(), target=API, options=ReportOptions(), client=CLIENT)
    assert live.window == live.total


def test_a_window_of_a_long_trace_has_its_own_peaks() -> None:
    live = build_window(shop_stream().fold(), target=API, options=ReportOptions(), client=CLIENT)
    assert live.window.connections is not None
    assert live.window.connections.total == 5 * 67
    assert live.window.connections.peak_per_s == pytest.approx(67)


def test_the_target_of_local_mode_keeps_command_and_status() -> None:
    target = healthy().target
    assert (target.command, target.exit_status, target.pid) == (("dd", "of=/tmp/a b"), 0, 812)


def test_an_unknown_target_is_no_error() -> None:
    assert report_of(folded([]), TargetInfo()).target.nodes == ()


@pytest.mark.parametrize(
    ("deleted", "gone_after_ns", "words"),
    [
        (True, 18_600_000, "tracer pod shop/podtrace-x deleted, gone after 18.6 ms"),
        (True, None, "tracer pod shop/podtrace-x deleted, and not yet seen gone"),
        (False, None, "tracer pod shop/podtrace-x was not deleted; kubectl delete pod -n shop podtrace-x"),
    ],
)
def test_the_last_words_are_about_what_is_left_in_the_cluster(
    deleted: bool, gone_after_ns: int | None, words: str
) -> None:
    cleanup = Cleanup(namespace="shop", pod="podtrace-x", deleted=deleted, gone_after_ns=gone_after_ns)
    report = report_of(folded(shop_stream().lines), client=replace(CLIENT, cleanup=cleanup))
    assert (document(report)[-1].title, document(report)[-1].empty) == ("Clean-up", words)


def test_what_the_plugin_doubts_stands_under_trust() -> None:
    report = report_of(folded(shop_stream().lines), client=replace(CLIENT, doubts=("it could not be attached to",)))
    assert report.trust.remarks[0] == "it could not be attached to"
    assert report.trust.complete


def test_a_trace_that_ended_because_nobody_was_heard_says_so() -> None:
    lines = [line.replace(b'"reason":"duration"', b'"reason":"client gone"') for line in shop_stream().lines]
    assert lines != shop_stream().lines
    assert "heard nothing more from this program" in report_of(folded(lines)).trust.remarks[0]
