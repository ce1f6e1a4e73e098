"""What a condition may say, and what is said of one that cannot be meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from kubectl_podtrace.analysis.findings.registry import RULES
from kubectl_podtrace.analysis.sections import TOPICS_OF_SECTIONS, Sections
from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.report.gate.conditions import Condition, parse_condition
from kubectl_podtrace.report.gate.judge import judge
from kubectl_podtrace.report.gate.members import MEMBERS
from kubectl_podtrace.report.gate.places import SHARES_OF, Kind, place_of, short_name
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render.json_export import plain_object
from kubectl_podtrace.report.schema import shipped_schema
from kubectl_podtrace.wire.topics import FILTERS, TOPICS
from tests.unit.every_kind import every_kind_stream
from tests.unit.report.reports import REPORTS, report_of

MILLISECOND = 10**6
SECOND = 10**9


def refusal(text: str, **trace: Any) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        parse_condition(text, **trace)
    assert caught.value.hint
    return caught.value.message, caught.value.hint


def numbers(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every number of a JSON object that does not stand in a list, by its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, (*path, str(key)))
    elif isinstance(value, int | float):
        yield path, value


def every_report() -> Iterator[Report]:
    yield from (make() for make in REPORTS.values())
    yield report_of(every_kind_stream().fold())


def always(path: str, value: Any, *, in_cluster: bool) -> Condition:
    """A condition on a number that it meets whatever its unit: nothing is nothing in every one."""
    limit = "== true" if value is True else "!= true" if value is False else "< 0" if value < 0 else ">= 0"
    return parse_condition(f"{path} {limit}", in_cluster=in_cluster)


def test_every_number_of_a_report_can_be_asked_for_and_is_the_one_that_is_found() -> None:
    asked = set()
    for report in every_report():
        body = plain_object(report)
        del body["gate"]
        in_cluster = body["target"]["command"] is None or body["target"]["pods"] != []
        for path, value in numbers(body):
            condition = always(".".join(path), value, in_cluster=in_cluster)
            (found,) = judge(report, [condition]).conditions
            is_empty = condition.place.taken_from and found.found is None
            assert (found.path, found.found) == (".".join(path), None if is_empty else value)
            assert not is_empty or value == 0
            asked.add(path[0])
    assert {"summary", "trust", "cost", *TOPICS} - {"queries"} <= asked


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("dns.latency.p99", "dns.latency.p99_ns"),
        ("connections.failed_ratio", "connections.failed_ratio"),
        ("cpu.total", "cpu.total_ratio"),
        ("cpu.throttling.total", "cpu.throttling.total_ns"),
        ("files.throughput_bytes", "files.throughput_bytes_per_s"),
        ("memory.peak", "memory.peak_bytes"),
        ("summary.duration", "summary.duration_s"),
        ("memory.minor_faults", "memory.minor_faults"),
        ("summary.events", "summary.events"),
        ("tcp.send.errors.ECONNRESET", "tcp.send.errors.ECONNRESET"),
        ("trust.suppressed.files.open", "trust.suppressed.files.open"),
        ("findings.dns-slow", "findings.dns-slow"),
    ],
)
def test_a_name_may_leave_out_its_unit_and_an_exact_one_is_preferred(short: str, full: str) -> None:
    assert place_of(short).full_name == full


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("dns.latency.p99 > 50ms", 50 * MILLISECOND),
        ("dns.latency.p99>50 ms", 50 * MILLISECOND),
        ("dns.latency.p99 > 0.5us", 500),
        ("dns.latency.p99 > 7µs", 7_000),
        ("dns.latency.p99 > 7μs", 7_000),
        ("dns.latency.p99 > 7ns", 7),
        ("dns.latency.p99 > 1m30s", 90 * SECOND),
        ("dns.latency.p99 > 1h", 3_600 * SECOND),
        ("dns.latency.p99 > 0", 0),
        ("summary.duration < 500ms", Fraction(1, 2)),
        ("files.write.bytes > 1.5KiB", 1_536),
        ("files.write.bytes > 1.5kB", 1_500),
        ("files.write.bytes > 2GiB", 2 * 1024**3),
        ("files.write.bytes > 2TB", 2 * 1000**4),
        ("files.throughput_bytes > 10MiB/s", 10 * 1024**2),
        ("files.throughput_bytes > 10MB", 10**7),
        ("connections.failed_ratio > 1%", Fraction(1, 100)),
        ("connections.failed_ratio > 0.01", Fraction(1, 100)),
        ("cpu.total_ratio >= 150 %", Fraction(3, 2)),
        ("cpu.total_ratio >= 1.5", Fraction(3, 2)),
        ("connections.failed_ratio > 0", 0),
        ("summary.events_per_s < 10/s", 10),
        ("summary.events_per_s < 0.1", Fraction(1, 10)),
        ("dns.search_waste.per_useful > 1.5", Fraction(3, 2)),
        ("dns.lookups != 1_234_567", 1_234_567),
        ("descriptors.by_kind.file.growth < -5", -5),
        ("trust.complete == false", False),
        ("trust.complete != true", True),
    ],
)
def test_a_limit_is_exact_in_the_number_s_own_unit(text: str, limit: Fraction | bool) -> None:
    assert parse_condition(text).limit == limit


def test_a_condition_is_kept_as_it_was_typed_but_for_its_spaces() -> None:
    condition = parse_condition("  files.fsync.latency.max>=1m  30s   if  any ".replace("1m  30s", "1m30s"))
    assert condition.text == "files.fsync.latency.max >= 1m30s if any"
    assert (condition.operator, condition.if_any) == (">=", True)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("dns.latncy.p99 > 50ms", 'there is no "latncy" in dns', 'did you mean "latency"? dns has lookups, '),
        ("dns.latency.p9 > 50ms", 'there is no "p9" in dns.latency', "has count, sum_ns, avg_ns, max_ns, p50_ns"),
        ("DNS.lookups > 5", 'a report has no "DNS"', 'did you mean "dns"?'),
        ("dns > 5", "dns has several numbers: which one?", "dns has lookups, per_s, latency"),
        ("dns.lookups.x > 5", "dns.lookups is a number", "leave .x out"),
        ("dns.top_names.1.count > 5", "dns.top_names is a list", "how many entries"),
        ("headline.verdict == good", "headline.verdict is no number", "headline has"),
        ("connections.pattern == bursty", "connections.pattern is no number", "connections has total"),
        ("gate.failed > 0", 'a report has no "gate"', "it has schema_version"),
        ("tcp.send.errors.ECONNRESTE > 0", 'there is no "ECONNRESTE" in tcp.send.errors', '"ECONNRESET"?'),
        ("tcp.states.OPEN > 0", 'there is no "OPEN" in tcp.states', "TCP states: CLOSE, "),
        ("dns.rcodes.nxdomain > 0", 'there is no "nxdomain" in dns.rcodes', 'did you mean "NXDOMAIN"?'),
        ("findings.crit > 0", 'no findings of the kind "crit"', 'did you mean "critical"? severities are'),
        ("findings.dns_slow > 0", 'no findings of the kind "dns_slow"', 'did you mean "dns-slow"?'),
        ("dns.lookups = 5", 'there is no operator "="', 'did you mean "=="?'),
        ("dns.lookups => 5", 'there is no operator "=>"', 'did you mean ">="?'),
        ("trust.complete > 0", '">" does not fit', "== and !="),
        ("trust.complete == 0", 'is true or false, and never "0"', "== true"),
        ("dns.latency.p99 > 50", "50 of what?", "ns, us (µs), ms, s, m or h"),
        ("summary.duration > 50", "50 of what?", "ns, us (µs), ms, s, m or h"),
        ("files.write.bytes > 50", "50 of what?", "B, KiB, MiB"),
        ("dns.latency.p99 > 50MiB", '"MiB" does not fit: dns.latency.p99_ns is a duration', "such as 50ms"),
        ("dns.latency.p99 > 50MS", '"MS" does not fit', "such as 50ms"),
        ("files.write.bytes > 50KB", '"KB" does not fit', "KiB, MiB, GiB, TiB, kB"),
        ("files.write.bytes > 1MiB2KiB", "is not a number", "such as 64MiB"),
        ("dns.latency.p99 > 30s1m", "is not a number", "1m30s"),
        ("dns.latency.p99 > 1m1m", "is not a number", "1m30s"),
        ("dns.latency.p99 > 1m30", "30 of what?", "1m30s"),
        ("connections.failed > 1%", '"%" does not fit', "did you mean connections.failed_ratio?"),
        ("summary.events < 10/s", '"/s" does not fit', "did you mean summary.events_per_s?"),
        ("connections.failed_ratio > 1", "1 can be 1% or 100%", "1.0 is 100%"),
        ("dns.lookups > 1.5", 'is a count, and never "1.5"', "whole number"),
        ("dns.lookups > -5", "is never below 0", "whole number"),
        ("dns.lookups > 1,000", '"1,000" could be read in two ways', "10_000"),
        ("dns.lookups > 1_00", '"1_00" is not a number', "10_000"),
        ("dns.lookups > 1 000", '"1 000" is not a number', "10_000"),
        ("dns.lookups > 1e3", '"e" does not fit', "whole number"),
        ("dns.lookups > many", '"many" is not a number', "whole number"),
        ("dns.lookups > 5 > 3", '"5 > 3" is not a number', "whole number"),
        ("dns.lookups > " + "9" * 5_000, "is not a number", "whole number"),
        ("dns.lookups > 5 if any", '"if any" does not fit', "leave"),
        ("dns.lookups >", "this is no condition", "dns.latency.p99 > 50ms"),
        ("dns.lookups", "this is no condition", "dns.latency.p99 > 50ms"),
        ("> 5", "this is no condition", "dns.latency.p99 > 50ms"),
        ("", "this is no condition", "dns.latency.p99 > 50ms"),
        ("target.exit_status != 0", "is known in local mode only", "leave it out"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_would_be_right(text: str, message: str, hint: str) -> None:
    said, advice = refusal(text)
    assert message in said
    assert hint in advice


@pytest.mark.parametrize("name", FILTERS)
def test_a_condition_on_what_a_filter_leaves_out_is_refused(name: str) -> None:
    others = [topic for topic in TOPICS if topic not in FILTERS[name]]
    for topic in FILTERS[name]:
        first = "queries" if topic == "queries" else f"{topic}.partial"
        parse_condition(f"{first} > 0", topics=FILTERS[name])
        message, hint = refusal(f"{first} > 0", topics=others)
        assert message == f"--filter leaves out what {first} is about"
        assert hint == f"add {name} to --filter"


def test_a_filter_does_not_leave_out_a_section_of_several_topics() -> None:
    assert parse_condition("network_io.peak_ops_per_s > 5", topics=["udp"]).place.path == (
        "network_io",
        "peak_ops_per_s",
    )
    assert refusal("network_io.peak_ops_per_s > 5", topics=["dns"])[1] == "add net to --filter"
    assert refusal("findings.dns-slow > 0", topics=["tcp"])[1] == "add dns to --filter"
    parse_condition("findings.warning > 0", topics=["tcp"])
    parse_condition("timeline.bursts > 0", topics=["dns"])


@pytest.mark.parametrize("text", ["kubernetes_events.incidents > 0", "cleanup.gone_after > 60s"])
def test_a_condition_on_the_cluster_is_refused_in_local_mode(text: str) -> None:
    parse_condition(text)
    assert "local mode has none" in refusal(text, in_cluster=False)[0]
    parse_condition("target.exit_status != 0", in_cluster=False)


def test_every_section_has_its_topics_and_every_topic_its_section() -> None:
    assert set(Sections.__dataclass_fields__) == {*TOPICS_OF_SECTIONS, "kubernetes_events"}
    assert frozenset().union(*TOPICS_OF_SECTIONS.values()) == set(TOPICS)


def placed(path: str = "", reference: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every place of the schema that stands in no list, by its path."""
    schema = shipped_schema()
    for name, each in (schema["$defs"][reference] if reference else schema)["properties"].items():
        full = f"{path}.{name}".lstrip(".")
        yield full, each
        for choice in each.get("anyOf", [each]):
            if "$ref" in choice:
                yield from placed(full, choice["$ref"].rpartition("/")[2])


def test_the_members_of_every_object_without_fixed_keys_are_known() -> None:
    choices = [(path, choice) for path, each in placed() for choice in each.get("anyOf", [each])]
    found = {
        path.rpartition(".")[2] for path, choice in choices if isinstance(choice.get("additionalProperties"), dict)
    }
    assert found == set(MEMBERS)


def test_every_share_that_the_report_gives_of_nothing_is_known() -> None:
    shares = {path for path, place in placed() if path.endswith("_ratio")}
    of_something = {
        # Of time, of something that is there, of nothing: null.
        "cpu.total_ratio", "memory.used_ratio", "network_io.send_receive_ratio", "cost.overhead_ratio",
        "cost.measured_ratio", "settings.error_threshold_ratio",
    }  # fmt: skip
    assert shares == {*SHARES_OF, *of_something}
    assert {place_of(name).kind for names in SHARES_OF.values() for name in names} == {Kind.COUNT}


def test_no_two_numbers_of_one_place_are_the_same_without_their_units() -> None:
    schema = shipped_schema()
    for place in (schema, *schema["$defs"].values()):
        shorts = Counter(
            short_name(name) for name in place["properties"] if short_name(name) not in place["properties"]
        )
        assert [short for short, count in shorts.items() if count > 1] == [], place["description"]


def test_every_rule_can_be_asked_for() -> None:
    for rule in RULES:
        assert parse_condition(f"findings.{rule.slug} > 0").place.member == rule.slug
