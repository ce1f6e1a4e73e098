"""What is drawn: the same numbers as in the tables, with texts beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace import units
from kubectl_podtrace.analysis.connections import ConnectionTarget
from kubectl_podtrace.analysis.selection import NOT_TIMED, OTHER, Dist, distribution
from kubectl_podtrace.report.charts import charts
from kubectl_podtrace.report.charts.bars import SHOWN, targets, waits
from kubectl_podtrace.report.charts.chart import Bars, Flame, Histogram, TimeChart
from kubectl_podtrace.report.charts.flames import flame
from kubectl_podtrace.report.charts.histograms import NARROWEST, histogram, histograms
from kubectl_podtrace.wire.histogram import bucket_of
from tests.unit.report.huge import huge
from tests.unit.report.reports import REPORTS, restarted, silent, truncated, typical

START = datetime(2026, 1, 1, tzinfo=UTC)


def dist_of(durations: list[int]) -> Dist:
    buckets: dict[int, int] = {}
    for duration in durations:
        buckets[bucket_of(duration)] = buckets.get(bucket_of(duration), 0) + 1
    return distribution(count=len(durations), sum_ns=sum(durations), max_ns=max(durations), buckets=buckets)


def chart_of(name: str, kind: str) -> TimeChart | Flame | Bars | Histogram:
    return next(chart for chart in charts(typical())[name] if chart.kind == kind)


@given(st.lists(st.integers(min_value=0, max_value=1 << 45), min_size=1, max_size=60))
def test_every_duration_is_in_one_bin_of_its_histogram(durations: list[int]) -> None:
    found = histogram("read", dist_of(durations))
    assert sum(each.count for each in found.bins) == len(durations)
    edges = [(each.low_ns, each.high_ns) for each in found.bins]
    assert all(low < high for low, high in edges)
    assert all(before[1] <= after[0] for before, after in pairwise(edges))
    assert found.low_ns <= edges[0][0]
    assert edges[-1][1] <= found.high_ns
    assert all(found.low_ns <= mark.at_ns <= found.high_ns for mark in (*found.marks, *found.ticks))
    assert found.low_ns > 0


@given(st.lists(st.integers(min_value=4, max_value=1 << 40), min_size=1, max_size=9))
def test_what_is_hardly_different_does_not_fill_an_axis(durations: list[int]) -> None:
    found = histogram("read", dist_of(durations))
    assert found.high_ns / found.low_ns > NARROWEST * 0.7
    assert len(found.ticks) >= 2


def test_a_histogram_says_its_percentiles_in_words() -> None:
    found = histogram("read", dist_of([1_000_000] * 99 + [80_000_000]))
    assert (found.marks[0].label, found.marks[0].text) == ("p50", "999 µs")
    assert (found.marks[-1].label, found.marks[-1].text) == ("max", "80.0 ms")
    assert found.bins[0].text == "918 µs to 1.05 ms: 99"
    assert found.summary == "100 durations"


def test_what_was_never_timed_has_no_histogram() -> None:
    assert histograms((("read", NOT_TIMED),)) == ()


def test_a_target_that_fails_is_shown_however_seldom_it_was_tried() -> None:
    section = typical().connections
    assert section is not None
    many = [
        ConnectionTarget(address=f"10.0.0.{number}", port=80, name=None, count=100 - number, failed=0)
        for number in range(40)
    ]
    many[30] = replace(many[30], failed=3)
    other = ConnectionTarget(address=OTHER, port=0, name=None, count=9, failed=0)
    (found,) = targets(replace(section, top_targets=(*many, other)))
    assert len(found.bars) == SHOWN + 1
    assert found.summary == f"{SHOWN + 1} of 40 targets"
    assert found.bars[-1].name == "10.0.0.30:80"
    assert list(found.bars[-1].values) == [67, 3]
    assert found.bars[-1].text == "70 (3 failed)"


def test_waits_are_added_up_by_cause() -> None:
    section = typical().cpu
    assert section is not None
    (found,) = waits(section)
    assert [bar.name for bar in found.bars] == ["the network", "a CPU (run queue)", "a lock"]
    assert list(found.bars[0].values) == [section.block_by_cause.network.sum_ns]
    assert found.bars[0].text == "1.38 s (96.5 %), 601 waits"


def test_stacks_are_put_on_each_other() -> None:
    ways = [(("main", "read"), 60), (("main", "write"), 30), (("main", "read", "copy"), 9), (("idle",), 1)]
    (found,) = flame("What ran", "all", ways, lambda amount: units.counted(amount, "sample"))
    told = [(depth, found.names[name], value) for depth, name, value, _ in found.nodes]
    assert told == [
        (0, "all", 100), (1, "main", 99), (2, "read", 69), (3, "copy", 9), (2, "write", 30), (1, "idle", 1),
    ]  # fmt: skip
    assert found.nodes[1][3] == "99 samples, 99.0 %"
    assert found.summary == "4 stacks, 100 samples"


def test_a_function_that_calls_itself_keeps_its_depth() -> None:
    (found,) = flame("What ran", "all", [(("f", "f", "f"), 5)], str)
    assert [depth for depth, *_ in found.nodes] == [0, 1, 2, 3]
    assert found.names == ("all", "f")


def test_what_is_too_narrow_to_be_seen_is_not_drawn() -> None:
    (found,) = flame("What ran", "all", [(("main",), 1_000_000), (("rare",), 1)], str)
    assert "rare" not in found.names


def test_without_stacks_there_is_no_flame_graph() -> None:
    assert flame("What ran", "all", [], str) == ()
    assert flame("What ran", "all", [(("main",), 0)], str) == ()


def test_flame_graphs_hold_all_samples_and_all_long_waits() -> None:
    report = typical()
    assert report.cpu is not None
    on_cpu, off_cpu = (chart for chart in charts(report)["cpu"] if isinstance(chart, Flame))
    assert on_cpu.nodes[0][2] == report.cpu.samples
    assert off_cpu.nodes[0][2] == sum(stack.total_ns for stack in report.cpu.off_cpu)
    causes = {off_cpu.names[name] for depth, name, *_ in off_cpu.nodes if depth == 1}
    assert causes <= {"a lock", "a disk", "the network", "time to pass (sleep)", "anything else"}


def test_what_happened_to_the_pod_is_marked_where_it_happened() -> None:
    (found,) = charts(restarted())["timeline"]
    assert isinstance(found, TimeChart)
    assert [marker.tone for marker in found.markers] == ["bad", "good", "bad", "bad", "bad", "bad", "bad", "good"]
    assert all(found.start <= marker.at <= found.end for marker in found.markers)
    probe = found.markers[4]
    assert probe.text.startswith("api: Unhealthy")
    assert (probe.at - START, (probe.until or START) - START) == (timedelta(seconds=18), timedelta(seconds=20))


def test_a_trace_with_a_hole_has_windows_without_a_number_and_a_mark_at_the_hole() -> None:
    (found,) = charts(truncated())["timeline"]
    assert isinstance(found, TimeChart)
    untold = [window for window in found.windows if window.events is None]
    assert untold
    assert all(window.text.endswith("no number is known") for window in untold)
    assert found.summary.endswith(f"{units.counted(len(untold), 'window')} of no number")
    assert [marker.text for marker in found.markers] == ["5 lines of the stream missing"]


def test_windows_follow_each_other_without_a_gap() -> None:
    (found,) = charts(typical())["timeline"]
    assert isinstance(found, TimeChart)
    assert found.windows[0].start == found.start
    assert found.windows[-1].end == found.end
    assert all(one.end == next_.start for one, next_ in pairwise(found.windows))
    assert sum(window.events or 0 for window in found.windows) == typical().summary.events


def test_of_many_incidents_those_of_trouble_are_marked() -> None:
    report = restarted()
    assert report.kubernetes_events is not None
    (start,) = [each for each in report.kubernetes_events.incidents if each.kind == "start" and each.run == 3]
    starts = tuple(replace(start, at=START + timedelta(seconds=second)) for second in range(1, 29))
    events = replace(report.kubernetes_events, incidents=(*starts, *report.kubernetes_events.incidents))
    (found,) = charts(replace(report, kubernetes_events=events))["timeline"]
    assert isinstance(found, TimeChart)
    assert len(found.markers) == 20
    assert found.unshown == 16
    assert sum(marker.tone == "bad" for marker in found.markers) == 6


def test_a_trace_of_nothing_has_no_chart() -> None:
    assert charts(silent()) == {}


@pytest.mark.parametrize("name", REPORTS)
def test_charts_belong_to_sections_that_there_are(name: str) -> None:
    report = REPORTS[name]()
    assert all(getattr(report, key) is not None for key in charts(report))


def test_charts_of_long_lists_stay_short() -> None:
    found = [chart for each in charts(huge()).values() for chart in each]
    assert max(len(chart.bars) for chart in found if isinstance(chart, Bars)) <= SHOWN * 2
    assert max(len(chart.nodes) for chart in found if isinstance(chart, Flame)) < 20_000
