"""How much a long trace of a busy pod writes, second by second, and that a refresh is never far away."""

from __future__ import annotations

from itertools import pairwise

from podtrace_tracer.stream.event_room import EVENT_BYTES_PER_S
from podtrace_tracer.stream.pace import (
    OLD_EVENT_BYTES_PER_S,
    OLD_TABLE_BYTES_PER_S,
    REFRESH_S,
    REPEAT_S,
    YOUNG_S,
    YOUNG_TABLE_BYTES_PER_S,
    Pace,
)
from tests.unit.tracer.busy import LongTrace

BUDGET_BYTES_PER_S = 64 * 1024
LONG_BYTES_PER_S = 4 * 1024
TEN_MINUTES = 600


def gaps(seconds: list[int]) -> set[int]:
    return {later - earlier for earlier, later in pairwise(seconds)}


def test_the_later_hours_of_a_busy_pod_are_told_in_a_few_kilobytes_a_second() -> None:
    trace = LongTrace(keys=200)
    trace.run(range(4 * 3600 - 2 * TEN_MINUTES, 4 * 3600))
    for window in trace.written[:TEN_MINUTES], trace.written[TEN_MINUTES:]:
        assert sum(window) <= LONG_BYTES_PER_S * TEN_MINUTES
    # Bursts and patterns rest on the totals, and whoever reads counts on a sign of life: these come each second.
    assert all(kinds["totals"] and kinds["heartbeat"] for kinds in trace.kinds)
    # All else still comes, if seldom.
    for kind in ("files", "targets", "processes", "histogram", "errors", "exits", "header"):
        assert max(gaps(trace.seconds_of(kind))) <= TEN_MINUTES, kind
    assert all(kinds["event"] for kinds in trace.kinds)


def test_the_first_ten_minutes_are_told_in_detail_and_within_the_budget() -> None:
    trace = LongTrace(keys=200)
    trace.run(range(YOUNG_S - 100, YOUNG_S))
    assert sum(trace.written) <= BUDGET_BYTES_PER_S * len(trace.written)
    assert gaps(trace.seconds_of("files")) == {REFRESH_S}
    assert len(trace.seconds_of("header")) == -(-100 // REPEAT_S)
    assert gaps(trace.seconds_of("errors")) == {1}


def refresh_after(size: int, *, at_s: int, watched: bool = False) -> int:
    """So many seconds later the tables are due again."""
    pace = Pace(watched=watched)
    pace.reach(at_s)
    pace.repeated(REPEAT_S * 10**6)
    pace.refreshed(size)
    later = 0
    while not pace.refresh_is_due:
        later += 1
        pace.reach(at_s + later)
    return later


def test_small_tables_travel_as_often_after_hours() -> None:
    assert refresh_after(REFRESH_S * OLD_TABLE_BYTES_PER_S, at_s=3 * 3600) == REFRESH_S
    assert refresh_after(REFRESH_S * OLD_TABLE_BYTES_PER_S + 1, at_s=3 * 3600) == 2 * REFRESH_S


def test_tables_however_large_keep_to_the_budget_from_the_start() -> None:
    assert refresh_after(REFRESH_S * YOUNG_TABLE_BYTES_PER_S, at_s=5) == REFRESH_S
    assert refresh_after(10 * REFRESH_S * YOUNG_TABLE_BYTES_PER_S, at_s=5) == 10 * REFRESH_S


def test_a_trace_that_is_watched_keeps_its_detail() -> None:
    assert refresh_after(10_000, at_s=10 * YOUNG_S, watched=True) == REFRESH_S
    assert refresh_after(10_000, at_s=10 * YOUNG_S) == 6 * REFRESH_S


def test_single_events_get_less_room_later() -> None:
    room = {}
    for second, watched in ((YOUNG_S - 1, False), (YOUNG_S, False), (YOUNG_S, True)):
        pace = Pace(watched=watched)
        pace.reach(second)
        room[second, watched] = pace.event_bytes
    assert list(room.values()) == [EVENT_BYTES_PER_S, OLD_EVENT_BYTES_PER_S, EVENT_BYTES_PER_S]


def test_seconds_in_which_nobody_read_the_stream_are_not_made_up_for() -> None:
    pace = Pace(watched=False)
    pace.reach(97)
    assert pace.repeat_is_due
    pace.repeated(1_000)
    due = {second: what_is_due(pace, second) for second in (99, 100, 119, 120)}
    assert due == {99: (False, False), 100: (True, False), 119: (True, False), 120: (True, True)}


def what_is_due(pace: Pace, second: int) -> tuple[bool, bool]:
    pace.reach(second)
    return pace.refresh_is_due, pace.repeat_is_due
