"""Growth over time: where a counter stood, which second an amount belongs to, and what a gap does to that."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.growth import Growth, parts_of
from kubectl_podtrace.analysis.series import MAX_POINTS, Series

SECOND = 1_000_000_000


def windows(series: Series, count: int, *, end_s: int, total: int | None = None) -> list[int | None]:
    growth = Growth(series=(series,), told_until_ns=series.newest_ns)
    found = growth.amounts(parts_of(0, end_s * SECOND, count), total=total)
    assert found is not None
    return list(found)


def test_growth_belongs_to_the_second_before_its_line() -> None:
    series = Series(0)
    series.add(8 * SECOND, 100, 0, gap_ns=0)
    assert windows(series, 10, end_s=10) == [0, 0, 0, 0, 0, 0, 0, 100, 0, 0]


def test_growth_across_missing_lines_is_known_only_where_no_edge_lies_among_them() -> None:
    series = Series(0)
    series.add(2 * SECOND, 10, 0, gap_ns=0)
    series.add(7 * SECOND, 60, 0, gap_ns=3 * SECOND)
    assert windows(series, 10, end_s=10) == [0, 10, None, None, None, None, None, 0, 0, 0]
    assert windows(series, 1, end_s=10) == [60]


def test_time_without_growth_is_known_however_long_it_is() -> None:
    series = Series(0)
    series.add(2 * SECOND, 10, 0, gap_ns=0)
    series.add(9 * SECOND, 11, 0, gap_ns=0)
    assert windows(series, 10, end_s=10) == [0, 10, 0, 0, 0, 0, 0, 0, 1, 0]


def test_readings_that_came_late_tell_nothing_of_the_time_between() -> None:
    series = Series(0)
    series.add_grown(0, SECOND, 10, 0)
    series.add_grown(SECOND, 3 * SECOND, 30, 0)
    series.add_grown(3 * SECOND, 4 * SECOND, 40, 0)
    assert windows(series, 4, end_s=4) == [10, None, None, 10]


def test_between_two_readings_growth_is_even() -> None:
    series = Series(0)
    series.add(round(1.5 * SECOND), 10, 0, gap_ns=0)
    assert windows(series, 2, end_s=2) == [5, 5]


def test_bytes_are_followed_beside_the_count() -> None:
    series = Series(0)
    series.add(SECOND, 1, 4_096, gap_ns=0)
    edges = (0, SECOND, 2 * SECOND)
    assert Growth(series=(series,)).amounts(edges, total=None, in_bytes=True) == (4_096, 0)
    assert series.newest == (1, 4_096)


def test_a_day_of_seconds_fits_and_more_only_costs_resolution() -> None:
    series = Series(0)
    seconds = MAX_POINTS + 5_000
    for second in range(1, seconds):
        series.add(second * SECOND, second * 3, 0, gap_ns=0)
    assert series.points <= MAX_POINTS
    assert windows(series, 4, end_s=seconds - 1) == [pytest.approx(3 * seconds / 4, abs=3)] * 4


def test_a_time_that_runs_backwards_or_a_counter_that_falls_changes_nothing() -> None:
    series = Series(5 * SECOND)
    series.add(3 * SECOND, 9, 9, gap_ns=0)
    series.add_grown(0, 7 * SECOND, 9, 9)
    series.add_grown(0, 8 * SECOND, 8, 10)
    assert (series.newest_ns, series.newest) == (7 * SECOND, (9, 9))


@pytest.mark.parametrize("edges", [(), (0,), range(10**9)])
def test_windows_beyond_reason_are_refused(edges: tuple[int, ...] | range) -> None:
    assert Growth().amounts(edges, total=0) is None


def test_what_a_final_snapshot_tells_after_the_end_belongs_to_the_last_second() -> None:
    series = Series(0)
    series.add(9 * SECOND, 4, 0, gap_ns=0)
    series.add(13 * SECOND, 9, 0, gap_ns=0)
    assert windows(series, 5, end_s=10, total=9) == [0, 0, 0, 0, 9]


def test_a_window_of_a_trace_that_goes_on_takes_only_its_own_part() -> None:
    series = Series(0)
    series.add(9 * SECOND, 4, 0, gap_ns=0)
    series.add(round(10.5 * SECOND), 8, 0, gap_ns=0)
    found = Growth(series=(series,)).amounts((5 * SECOND, 10 * SECOND), total=None)
    assert found == (4 + 2,)


def test_what_is_in_the_total_and_in_no_reading_came_after_the_last_one() -> None:
    series = Series(0)
    series.add(5 * SECOND, 10, 0, gap_ns=0)
    assert windows(series, 10, end_s=10, total=30) == [0, 0, 0, 0, 10, None, None, None, None, None]
    assert windows(series, 2, end_s=6, total=30) == [0, 30]
