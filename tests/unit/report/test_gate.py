"""What a gate makes of a report: what holds fails, what cannot be judged never passes, and each says why."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubectl_podtrace.report.gate.conditions import parse_condition
from kubectl_podtrace.report.gate.judge import COUNTED_BY, judge, judged
from kubectl_podtrace.report.gate.places import SHARES_OF, place_of
from kubectl_podtrace.report.model import Gate, GateCondition, Report
from kubectl_podtrace.report.render.terminal import TerminalRenderer
from kubectl_podtrace.report.sections.gate import gate as section_of
from kubectl_podtrace.report.sections.gate import told, verdict
from kubectl_podtrace.wire.records import Errors, Totals
from podtrace_tracer.collectors import cpu, locks, processes, tcp, udp
from tests.unit.report.reports import REPORTS, report_of, silent, truncated, typical
from tests.unit.streams import HEADER, LOSSES, Stream, error_rows, probe, scope, timed, totals_row


def gate_of(report: Report, *texts: str) -> Gate:
    return judge(report, [parse_condition(text) for text in texts])


def only(report: Report, text: str) -> GateCondition:
    (found,) = gate_of(report, text).conditions
    return found


def attempts(total: int, failed: int) -> Report:
    stream = Stream()
    stream.add(scope())
    rows = totals_row("connections.attempt", count=total), totals_row("connections.failure", count=failed)
    stream.add(Totals(rows=rows), Errors(rows=error_rows("connections.failure", {111: failed} if failed else {})))
    stream.end(10)
    return report_of(stream.fold())


def reads(*durations_ns: int) -> Report:
    stream = Stream()
    stream.add(scope())
    row, histogram = timed("files.read", [*durations_ns])
    stream.add(Totals(rows=(row, totals_row("files.write", count=3))), histogram)
    stream.end(10)
    return report_of(stream.fold())


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("files.read.latency.max > 5ms", "passed"),
        ("files.read.latency.max > 4999999ns", "failed"),
        ("files.read.latency.max >= 5ms", "failed"),
        ("files.read.latency.max < 5ms", "passed"),
        ("files.read.latency.max <= 5ms", "failed"),
        ("files.read.latency.max == 5ms", "failed"),
        ("files.read.latency.max != 5ms", "passed"),
        ("files.read.latency.max == 5000001ns", "passed"),
        ("trust.complete == false", "passed"),
        ("trust.complete == true", "failed"),
        ("trust.complete != true", "passed"),
    ],
)
def test_every_operator_is_strict_about_what_is_equal(text: str, result: str) -> None:
    assert only(reads(5_000_000), text).result == result


SHOP = typical()


@example(failed=1, total=222)
@given(failed=st.integers(0, 1_000), total=st.integers(1, 1_000))
def test_a_share_is_compared_as_the_report_shows_it(failed: int, total: int) -> None:
    assert SHOP.connections is not None
    share = min(failed, total) / total
    shown = replace(SHOP, connections=replace(SHOP.connections, failed_ratio=share))
    assert only(shown, f"connections.failed_ratio == {share!r}").result == "failed"
    assert only(shown, f"connections.failed_ratio > {share!r}").result == "passed"


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_share_of_exactly_so_many_per_cent_is_not_more_than_that(percent: int) -> None:
    report = attempts(100, percent)
    above, equal = gate_of(
        report, f"connections.failed_ratio > {percent}%", f"connections.failed_ratio == {percent}%"
    ).conditions
    assert (above.result, equal.result) == ("passed", "failed")


def test_a_gate_passes_when_none_of_its_conditions_holds() -> None:
    found = gate_of(attempts(200, 3), "connections.failed_ratio > 1.5%", "connections.errors.ECONNRESET > 0")
    assert (found.passed, found.failed, found.not_judged) == (True, 0, 0)
    assert [each.found for each in found.conditions] == [0.015, 0]
    assert verdict(found) == "passed: none of 2 conditions holds"


def test_one_condition_that_holds_fails_the_gate() -> None:
    found = gate_of(attempts(200, 4), "connections.failed_ratio > 1.5%", "connections.errors.ECONNREFUSED > 4")
    assert (found.passed, found.failed, found.not_judged) == (False, 1, 0)
    assert verdict(found) == "failed: of 2 conditions 1 holds"
    assert told(found.conditions[0]) == "connections.failed_ratio > 1.5%: found 2.0 %"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("files.read.count > 5", "passed: its condition does not hold"),
        ("files.read.count < 5", "failed: its condition holds"),
        ("dns.latency.p99 > 5ms", "failed: its condition could not be judged"),
    ],
)
def test_a_gate_of_one_condition_is_told_in_the_singular(text: str, said: str) -> None:
    assert verdict(gate_of(reads(5), text)) == said


def test_the_first_line_of_the_report_tells_of_the_gate() -> None:
    report = reads(5)
    for text, said in (("files.read.count > 5", "passed"), ("files.read.count < 5", "failed")):
        found = judged(report, [parse_condition(text)])
        assert found.headline.verdict == f"{report.headline.verdict}; the gate {said}"


def test_errors_without_a_name_are_asked_for_all_together() -> None:
    assert only(attempts(200, 4), "connections.errors > 3").found == 4


def test_a_list_is_asked_for_by_its_length() -> None:
    report = typical()
    assert report.descriptors is not None
    assert report.descriptors.leaks
    assert only(report, "descriptors.leaks > 0").found == len(report.descriptors.leaks)


def test_findings_are_counted_by_severity_and_by_rule() -> None:
    report = typical()
    severities = [finding.severity for finding in report.findings]
    rule = report.findings[0].rule
    found = gate_of(report, "findings > 0", "findings.critical > 0", "findings.info > 99", f"findings.{rule} > 0")
    assert [each.found for each in found.conditions] == [
        len(severities),
        severities.count("critical"),
        severities.count("info"),
        sum(finding.rule == rule for finding in report.findings),
    ]


def test_a_rule_that_could_not_look_is_not_judged() -> None:
    report = typical()
    assert "probe-failed" not in report.looked_for
    for condition in ("findings.probe-failed > 0", "findings.probe-failed == 0"):
        found = only(report, condition)
        assert (found.result, found.reason) == ("not_judged", "this rule had nothing to look at")


@pytest.mark.parametrize("stat", ["avg", "max", "p50", "p95", "p99"])
@pytest.mark.parametrize("operator", ["> 1ms", "< 1ms", "== 0"])
def test_a_latency_of_nothing_is_not_judged(stat: str, operator: str) -> None:
    found = only(reads(5), f"files.write.latency.{stat} {operator}")
    assert (found.result, found.found) == ("not_judged", None)
    assert found.reason.startswith("nothing was timed")


def test_a_latency_of_nothing_passes_where_that_was_allowed() -> None:
    found = gate_of(reads(5), "files.write.latency.p99 > 1ms if any")
    assert found.passed
    assert told(found.conditions[0]) == "files.write.latency.p99 > 1ms if any: nothing was timed"
    assert only(reads(5_000_000), "files.read.latency.p99 > 1ms if any").result == "failed"


@pytest.mark.parametrize("path", SHARES_OF)
def test_a_share_of_nothing_is_not_judged(path: str) -> None:
    found = only(reads(5), f"{path} > 1%")
    assert (found.result, found.found) == ("not_judged", None)
    assert found.reason.startswith("there was nothing to take a share of")
    assert only(reads(5), f"{path} == 0 if any").result == "passed"


def test_a_share_is_of_all_that_it_is_taken_from() -> None:
    stream = Stream()
    stream.add(scope(), Totals(rows=(totals_row("tcp.receive", count=3),)))
    stream.end(10)
    assert only(report_of(stream.fold()), "tcp.error_ratio > 1%").result == "passed"


def test_the_count_and_the_sum_of_nothing_are_zero() -> None:
    assert gate_of(reads(5), "files.write.latency.count > 0", "files.write.latency.sum > 0").passed


def test_what_is_null_is_not_judged() -> None:
    found = only(reads(5), "memory.used_ratio > 90%")
    assert (found.result, found.found) == ("not_judged", None)
    assert "there is no memory.used_ratio in this trace" in found.reason


def test_a_section_that_could_not_be_measured_is_not_judged_and_names_the_probe() -> None:
    stream = Stream()
    stream.add(scope(), replace(probe("raw_tracepoint:inet_sock_set_state", "connections", attached=False)))
    stream.add(Totals(rows=(totals_row("files.read", count=3),)))
    stream.end(10)
    found = only(report_of(stream.fold()), "connections.failed > 0 ")
    assert found.result == "not_judged"
    assert "connections could not be measured: raw_tracepoint:inet_sock_set_state is absent" in found.reason


def test_a_trace_that_saw_nothing_turns_no_gate_green() -> None:
    found = gate_of(silent(), "files.read.count > 5", "trust.lost > 0", "dns.latency.p99 > 1ms if any")
    assert (found.passed, found.not_judged) == (False, 3)
    assert {each.reason for each in found.conditions} == {
        "no events in 30.0 s: container api did nothing that was traced"
    }
    assert only(silent(), "summary.events < 10").result == "failed"


def test_an_incomplete_trace_turns_no_gate_green_and_still_fails_what_holds() -> None:
    found = gate_of(truncated(), "files.read.count > 1_000_000", "files.read.count > 0", "trust.complete == false")
    assert [each.result for each in found.conditions] == ["not_judged", "failed", "failed"]
    assert found.conditions[0].reason.startswith("the trace is incomplete: the stream ended without its trailer")
    assert found.conditions[1].caveats[0] == found.conditions[0].reason


def test_what_is_told_over_time_says_what_is_missing_of_it() -> None:
    report = truncated()
    missing = f"{report.trust.missing_lines} lines missing, whose time it does not know"
    over_time, counted = gate_of(report, "timeline.burst_windows >= 0", "files.read.count >= 0").conditions
    assert over_time.caveats[-1] == missing
    assert counted.caveats == (over_time.caveats[0], "17 lost in the kernel")


def test_a_trace_that_never_began_turns_no_gate_green() -> None:
    stream = Stream(replace(HEADER, started_ns=0))
    assert not gate_of(report_of(stream.fold()), "trust.lost > 0").passed


def test_numbers_that_lack_something_are_judged_and_say_what() -> None:
    report = REPORTS["partial"]()
    assert report.trust.complete is False
    found = only(report, "files.read.count > 1_000_000")
    assert found.result == "passed"
    assert found.caveats == ("counted until 00:00:12 UTC only", "20 lost in the kernel")
    assert told(found).endswith("(incomplete: counted until 00:00:12 UTC only; 20 lost in the kernel)")
    assert only(report, "trust.noise_lines > 5").caveats == ()


def test_losses_of_another_topic_are_not_told() -> None:
    stream = Stream()
    stream.add(scope(), Totals(rows=(totals_row("dns.lookup", count=3),)))
    stream.beat(9, lost=LOSSES)
    stream.end(10)
    report = report_of(stream.fold())
    assert only(report, "dns.lookups > 5").caveats == ()
    assert only(report, "files.read.count > 5").caveats == ("17 lost in the kernel",)
    assert only(report, "summary.events > 5").caveats == ("17 lost in the kernel",)


@pytest.mark.parametrize("path", COUNTED_BY)
def test_a_number_whose_only_probe_is_absent_is_not_judged(path: str) -> None:
    topic = {"lifecycle": "processes"}.get(path.split(".", maxsplit=1)[0], path.split(".", maxsplit=1)[0])
    specs = {spec.name for collector in (cpu, locks, processes, tcp, udp) for spec in collector.COLLECTOR.probes}
    assert COUNTED_BY[path] in specs, "no probe of the tracer has this name"
    assert place_of(path).full_name == path
    stream = Stream()
    stream.add(scope(), probe(COUNTED_BY[path], topic, attached=False, required=False))
    stream.add(Totals(rows=(totals_row("files.read", count=3),)))
    stream.end(10)
    for condition in (f"{path} > 0", f"{path} == 0"):
        found = only(report_of(stream.fold()), condition)
        assert (found.result, found.found) == ("not_judged", 0)
        assert f"{COUNTED_BY[path]} is absent" in found.reason


def test_a_number_that_looks_like_its_threshold_and_is_not_has_all_its_digits() -> None:
    assert told(only(reads(50_040_000), "files.read.latency.max > 50ms")) == (
        "files.read.latency.max > 50ms: found 50.0 ms (50,040,000 ns)"
    )
    assert told(only(reads(50_000_000), "files.read.latency.max >= 50ms")) == (
        "files.read.latency.max >= 50ms: found 50.0 ms"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("files.write.bytes > 1B", "found 0 B"),
        ("summary.duration > 1s", "found 10.0 s"),
        ("summary.events_per_s > 0", "found 0.4/s"),
        ("files.throughput_bytes > 1B", "found 0 B/s"),
        ("summary.events > 1", "found 4"),
        ("trust.complete == true", "found true"),
    ],
)
def test_what_was_found_is_shown_in_its_unit(text: str, shown: str) -> None:
    assert told(only(reads(5), text)).endswith(shown)


def test_a_report_without_conditions_has_no_gate() -> None:
    report = typical()
    assert judged(report, []) is report
    out = io.StringIO()
    TerminalRenderer(width=80, color=False).render(report, out)
    assert "Gate" not in out.getvalue()


def test_the_section_has_what_did_not_pass_on_top() -> None:
    report = reads(5_000_000)
    conditions = ["dns.lookups > 5", "files.write.latency.max > 1s", "files.read.latency.max > 1ms"]
    (facts,) = section_of(gate_of(report, *conditions)).blocks
    assert [label for label, _ in getattr(facts, "pairs", ())] == ["verdict", "failed", "not judged", "passed"]
