"""Growth over time: which second an amount belongs to, and what a gap does to that."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.series import MAX_POINTS, Series, amounts, until

SECOND = 1_000_000_000


def windows(series: Series, count: int, *, end_s: int) -> list[float]:
    found = amounts(series.count_segments(), start_ns=0, end_ns=end_s * SECOND, windows=count)
    assert found is not None
    return [round(amount, 6) for amount in found]


def test_growth_belongs_to_the_second_before_its_line() -> None:
    series = Series(0)
    series.add(8 * SECOND, 100, 0, gap_ns=0)
    assert windows(series, 10, end_s=10) == [0, 0, 0, 0, 0, 0, 0, 100, 0, 0]


def test_growth_across_missing_lines_is_spread_over_all_of_them() -> None:
    series = Series(0)
    series.add(2 * SECOND, 10, 0, gap_ns=0)
    series.add(7 * SECOND, 60, 0, gap_ns=3 * SECOND)
    assert windows(series, 10, end_s=10) == [0, 10, 10, 10, 10, 10, 10, 0, 0, 0]


def test_a_line_between_two_windows_is_split_by_time() -> None:
    series = Series(0)
    series.add(round(1.5 * SECOND), 10, 0, gap_ns=0)
    assert windows(series, 2, end_s=2) == [5, 5]


def test_bytes_are_followed_beside_the_count() -> None:
    series = Series(0)
    series.add(SECOND, 1, 4_096, gap_ns=0)
    assert [growth for _, _, growth in series.byte_segments()] == [4_096]


def test_a_day_of_seconds_fits_and_more_only_costs_resolution() -> None:
    series = Series(0)
    for second in range(1, MAX_POINTS + 5_000):
        series.add(second * SECOND, second * 3, 0, gap_ns=0)
    segments = list(series.count_segments())
    assert len(segments) <= MAX_POINTS
    assert sum(growth for _, _, growth in segments) == 3 * (MAX_POINTS + 4_999)


def test_a_time_that_runs_backwards_changes_nothing() -> None:
    series = Series(5 * SECOND)
    series.add(3 * SECOND, 9, 9, gap_ns=0)
    assert list(series.count_segments()) == []


@pytest.mark.parametrize(("end_ns", "count"), [(0, 1), (SECOND, 0), (2**63, 10**9)])
def test_windows_beyond_reason_are_refused(end_ns: int, count: int) -> None:
    assert amounts([], start_ns=0, end_ns=end_ns, windows=count) is None


def test_what_a_final_snapshot_tells_after_the_end_belongs_to_the_last_window() -> None:
    segments = [(-5, -1, 3), (9, 30, 4), (12, 13, 5)]
    assert amounts(until(10, segments), start_ns=0, end_ns=10, windows=2) == pytest.approx([0, 9])


def test_a_window_of_a_trace_that_goes_on_takes_only_its_own_part() -> None:
    segments = [(-5, 5, 10), (9, 13, 4), (12, 13, 5)]
    assert amounts(segments, start_ns=0, end_ns=10, windows=2) == pytest.approx([5, 1])
