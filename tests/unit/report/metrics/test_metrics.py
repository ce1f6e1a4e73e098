"""Every number of every metric is that of the JSON report; what is not measured has none."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from kubectl_podtrace.analysis.selection import distribution
from kubectl_podtrace.report.metrics.catalog import METRICS
from kubectl_podtrace.report.metrics.model import BOUNDS_NS, LABEL_CHARS, UNKNOWN, Histogram, Kind, Metric
from kubectl_podtrace.report.metrics.series import MOST, Family, Series
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render.json_export import JsonRenderer
from kubectl_podtrace.report.text import plain
from kubectl_podtrace.wire.histogram import BUCKETS, bucket_of, lower_bound
from tests.unit.report.metrics.told import TOLD
from tests.unit.report.reports import REPORTS

PLAIN_REPORTS = [name for name in REPORTS if name != "hostile"]


def exposed(report: Report) -> dict[str, Family]:
    return {family.metric.name: family for family in Series(METRICS).take(report)}


def as_json(report: Report) -> Any:
    out = io.StringIO()
    JsonRenderer().render(report, out)
    return json.loads(out.getvalue())


def comparable(metric: Metric, value: Any) -> Any:
    if isinstance(value, Histogram):
        return value.count, value.sum_ns, value.below
    return value


def below_bounds(told: Any) -> Any:
    """The cumulative counts of a histogram of the JSON report, each added up by itself."""
    if not isinstance(told, tuple):
        return told
    count, sum_ns, buckets = told
    below = tuple(sum(number for lower, number in buckets.items() if int(lower) < bound) for bound in BOUNDS_NS)
    return count, sum_ns, below


def test_every_metric_has_a_second_source() -> None:
    assert [metric.name for metric in METRICS if metric.name not in TOLD] == []
    assert set(TOLD) == {metric.name for metric in METRICS}
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("name", PLAIN_REPORTS)
def test_each_number_is_that_of_the_json_report(name: str) -> None:
    report = REPORTS[name]()
    found = exposed(report)
    told = as_json(report)
    for metric in METRICS:
        series = dict(found[metric.name].series) if metric.name in found else {}
        expected = {labels: below_bounds(value) for labels, value in TOLD[metric.name](told).items()}
        # Of nothing that is left no series is made.
        expected = {
            labels: value for labels, value in expected.items() if value or not {"(other)", UNKNOWN} & {*labels}
        }
        assert {labels: comparable(metric, value) for labels, value in series.items()} == expected, metric.name


def test_the_typical_report_has_nearly_every_metric() -> None:
    absent = {metric.name for metric in METRICS} - set(exposed(REPORTS["typical"]()))
    assert absent == {
        "podtrace_partial_since_timestamp_seconds",
        "podtrace_udp_errors_total",
        "podtrace_connections_accept_errors_total",
        "podtrace_trust_losses_total",
        "podtrace_trust_bypassed_total",
        "podtrace_trust_suppressed_events_total",
    }


def test_a_topic_that_was_not_measured_has_no_metrics() -> None:
    found = exposed(REPORTS["healthy"]())
    prefixes = {name.split("_")[1] for name in found}
    assert prefixes & {"tcp", "udp", "connections", "dns", "cpu", "locks", "memory", "queries"} == set()
    measured = {labels[0] for labels, value in found["podtrace_topic_measured"].series if value}
    assert measured == {"files", "processes", "descriptors"}


def test_what_was_shed_says_since_when_its_numbers_lack_something() -> None:
    series = dict(exposed(REPORTS["partial"]())["podtrace_partial_since_timestamp_seconds"].series)
    assert series["cpu", "switches, waits and the time on a CPU are not counted"] == 1767225620.0
    assert {section for section, _ in series} >= {"summary", "tcp", "files", "cpu", "timeline"}


def test_every_bound_is_a_bound_of_the_tracer_s_buckets() -> None:
    assert set(BOUNDS_NS) <= {lower_bound(bucket) for bucket in range(BUCKETS)}


def test_a_histogram_counts_what_took_less_than_each_bound() -> None:
    durations = [1, 1_023, 1_024, 2_047, 2_048, 70_000, 1 << 40, (1 << 40) + 1, 1 << 42]
    buckets: dict[int, int] = {}
    for duration in durations:
        buckets[bucket_of(duration)] = buckets.get(bucket_of(duration), 0) + 1
    found = Histogram.of(distribution(count=9, sum_ns=sum(durations), max_ns=max(durations), buckets=buckets))
    assert found.below == tuple(sum(duration < bound for duration in durations) for bound in BOUNDS_NS)
    assert (found.count, found.sum_ns) == (9, sum(durations))


def test_a_histogram_that_is_ahead_of_its_count_stays_cumulative() -> None:
    found = Histogram.of(distribution(count=2, sum_ns=5, max_ns=3, buckets={0: 2, 100: 3}))
    assert max(found.below) == 2


def test_names_from_outside_are_visible_and_bounded() -> None:
    for family in exposed(REPORTS["hostile"]()).values():
        assert len(family.series) <= 2 * MOST + 1
        for labels, _ in family.series:
            assert len(labels) == len(family.metric.labels)
            assert all(plain(text) == text and len(text) <= LABEL_CHARS for text in labels)


def test_names_follow_the_conventions() -> None:
    for metric in METRICS:
        assert metric.name.startswith("podtrace_")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.name.endswith("_info") == (metric.kind is Kind.INFO), metric.name
        assert metric.help.endswith("."), metric.name
        assert metric.key <= len(metric.labels), metric.name
        assert (metric.per_unit > 1) <= ("_seconds" in metric.name), metric.name
