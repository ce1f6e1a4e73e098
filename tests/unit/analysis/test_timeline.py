"""Timeline, bursts and patterns, against a plain count of the moments at which something happened."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kubectl_podtrace.analysis.connections import connections
from kubectl_podtrace.analysis.network_io import network_io
from kubectl_podtrace.analysis.patterns import pattern_of
from kubectl_podtrace.analysis.timeline import Timeline, bursts_of, timeline
from kubectl_podtrace.wire.records import Totals
from tests.unit.analysis.selections import selection_of
from tests.unit.streams import Stream, activity, scope, totals_row

MILLISECONDS_PER_S = 1_000
READING_MS = 100

moments = st.lists(st.integers(1, 9_999), max_size=60)
"""When something happened, in milliseconds after the start."""
lengths = st.integers(1, 100).map(lambda readings: readings * READING_MS)


def stream_of(
    happened_ms: Sequence[int], length_ms: int, *, lost: frozenset[int] = frozenset(), step_ms: int = READING_MS
) -> Stream:
    """A trace in which attempts to connect were made at these moments: read every so often, a line each second.

    The lines of `lost` seconds, from 0 on, do not arrive.
    """
    stream, inside = Stream(), sorted(moment for moment in happened_ms if moment <= length_ms)
    stream.add(scope(), at_s=0)
    times = [*range(0, length_ms, step_ms), length_ms]
    per_line = MILLISECONDS_PER_S // step_ms
    for second, first in enumerate(range(0, len(times) - 1, per_line)):
        part = times[first : first + per_line + 1]
        counts = [bisect_right(inside, time) for time in part]
        record = activity([time / MILLISECONDS_PER_S for time in part], counts, attempts=counts)
        stream.add(record, at_s=part[-1] / MILLISECONDS_PER_S)
        if second in lost:
            stream.lines[-1] = b"not a record"
    if inside:
        stream.add(Totals(rows=(totals_row("connections.attempt", count=len(inside)),)), at_s=length_ms / 1_000)
    stream.end(length_ms / MILLISECONDS_PER_S)
    return stream


def timeline_of(stream: Stream) -> Timeline:
    return timeline(selection_of(stream.fold()))


def plain_counts(happened_ms: Sequence[int], edges_ms: Sequence[float]) -> list[int]:
    """How many fell into each window; one that falls on an edge belongs to the window that ends there."""
    return [sum(begin < moment <= finish for moment in happened_ms) for begin, finish in pairwise(edges_ms)]


def plain_pattern(counts: Sequence[int]) -> str:
    if pstdev(counts) > 0.5 * fmean(counts):
        return "bursty"
    return "steady" if pstdev(counts) < 0.1 * fmean(counts) else "sporadic"


@given(happened=moments, length=lengths)
def test_windows_and_bursts_are_what_a_plain_count_finds(happened: list[int], length: int) -> None:
    inside = [moment for moment in happened if moment <= length]
    section = timeline_of(stream_of(happened, length))
    assert section.window_s == 0.1
    edges = [*range(0, length, READING_MS), length]
    assert [window.events for window in section.windows] == plain_counts(inside, edges)
    assert section.untold_events == 0
    per_second = plain_counts(inside, [*range(0, length, MILLISECONDS_PER_S), length])
    mean = len(inside) / (length / MILLISECONDS_PER_S)
    above = [count for count in per_second if count > 2.0 * mean]
    expected = above if len(inside) >= 10 and len(per_second) >= 2 else []
    assert [burst.per_s for burst in section.bursts] == expected
    assert [burst.factor for burst in section.bursts] == pytest.approx([count / mean for count in expected])
    assert section.burst_windows == len(expected)


@given(happened=moments, fifths=st.integers(1, 20))
def test_the_five_parts_are_what_a_plain_count_finds(happened: list[int], fifths: int) -> None:
    length = 5 * READING_MS * fifths
    inside = [moment for moment in happened if moment <= length]
    section = timeline_of(stream_of(happened, length))
    counts = plain_counts(inside, [length * part / 5 for part in range(6)])
    assert [bucket.events for bucket in section.buckets] == counts
    shares = [count / len(inside) if inside else 0 for count in counts]
    assert [bucket.share_ratio for bucket in section.buckets] == pytest.approx(shares)


@given(happened=moments, tenths=st.integers(1, 10))
def test_the_pattern_is_what_a_plain_computation_finds(happened: list[int], tenths: int) -> None:
    length = 10 * READING_MS * tenths
    inside = [moment for moment in happened if moment <= length]
    section = connections(selection_of(stream_of(happened, length).fold()))
    counts = plain_counts(inside, [length * part / 10 for part in range(11)])
    assert section.pattern == (plain_pattern(counts) if inside else None)
    peak = max(plain_counts(inside, range(0, length + 1, MILLISECONDS_PER_S)))
    assert section.peak_per_s == peak
    assert section.per_s == pytest.approx(len(inside) / (length / MILLISECONDS_PER_S))


@given(happened=moments, length=st.integers(200, 999))
def test_the_windows_of_a_pattern_are_never_shorter_than_a_tenth_of_a_second(happened: list[int], length: int) -> None:
    inside = [moment for moment in happened if moment <= length]
    section = connections(selection_of(stream_of(happened, length).fold()))
    counts = plain_counts(inside, [*range(0, length, READING_MS), length])
    assert section.pattern == (plain_pattern(counts) if inside else None)


@given(counts=st.lists(st.integers(0, 10**6), min_size=2, max_size=10))
@example(counts=[1, 3])
@example(counts=[9, 11])
def test_a_pattern_of_whole_numbers_is_that_of_the_formula(counts: list[int]) -> None:
    deviation, mean = pstdev(counts), fmean(counts)
    on_the_line = mean and min(abs(deviation / mean - limit) for limit in (0.1, 0.5)) < 1e-9
    if not any(counts):
        assert pattern_of(counts) is None
    elif on_the_line:
        assert pattern_of(counts) == "sporadic"
    else:
        assert pattern_of(counts) == plain_pattern(counts)


@given(happened=moments, length=st.integers(1_000, 9_999))
def test_edges_between_two_readings_are_off_by_what_happened_between_these_at_most(
    happened: list[int], length: int
) -> None:
    inside = sorted(moment for moment in happened if moment <= length)
    buckets = timeline_of(stream_of(happened, length)).buckets
    edges = [length * part / 5 for part in range(6)]
    assert sum(bucket.events or 0 for bucket in buckets) == len(inside)
    for bucket, (begin, finish) in zip(buckets, pairwise(edges), strict=True):
        inner = sum(begin + READING_MS <= moment <= finish - READING_MS for moment in inside)
        outer = sum(begin - READING_MS < moment < finish + READING_MS for moment in inside)
        assert bucket.events is not None
        assert inner <= bucket.events <= outer


@given(happened=moments, seconds=st.integers(2, 10), lost=st.frozensets(st.integers(0, 9)))
def test_a_window_that_no_line_tells_of_has_no_number_and_all_others_have_theirs(
    happened: list[int], seconds: int, lost: frozenset[int]
) -> None:
    assume(not lost >= set(range(seconds)))
    length = seconds * MILLISECONDS_PER_S
    inside = [moment for moment in happened if moment <= length]
    section = timeline_of(stream_of(happened, length, lost=lost))
    counts = plain_counts(inside, [*range(0, length, READING_MS), length])
    told = [window.events for window in section.windows]
    for number, (found, expected) in enumerate(zip(told, counts, strict=True)):
        assert found in (None, expected) or number // 10 in lost
    for second in set(range(seconds)) - lost:
        assert None not in told[10 * second + 1 : 10 * second + 9]
    assert sum(count or 0 for count in told) + section.untold_events == len(inside)


def test_a_gap_is_not_told_and_parts_around_it_still_are() -> None:
    happened = [second * MILLISECONDS_PER_S + 5 for second in range(10) for _ in range(10)]
    section = timeline_of(stream_of(happened, 10_000, lost=frozenset({4})))
    assert [window.events for window in section.windows[39:51]] == [0, *[None] * 10, 10]
    assert (section.untold_events, section.burst_windows) == (10, 0)
    assert [bucket.events for bucket in section.buckets] == [20] * 5


def test_peaks_of_the_network_are_of_its_own_operations_and_bytes() -> None:
    stream = Stream()
    stream.add(activity((0, 1, 2, 3), (0, 50, 150, 160), transfers=(0, 5, 65, 70), bytes=(0, 100, 200, 9_200)), at_s=3)
    rows = (totals_row("tcp.send", count=30, bytes=9_000), totals_row("udp.receive", count=40, bytes=200))
    stream.add(Totals(rows=rows), at_s=3)
    stream.end(3)
    section = network_io(selection_of(stream.fold()))
    assert (section.peak_ops_per_s, section.peak_bytes_per_s) == (60, 9_000)
    assert (section.average_ops_per_s, section.average_bytes_per_s) == pytest.approx((70 / 3, 9_200 / 3))
    assert section.send_receive_ratio == pytest.approx(0.75)


def test_scopes_add_up_and_can_be_told_apart() -> None:
    stream = Stream()
    for index in (0, 1):
        stream.add(activity((0, 1, 2), (0, 10 * (index + 1), 40 * (index + 1)), scope=index), at_s=2)
    stream.add(Totals(rows=tuple(totals_row("files.open", count=40 * (each + 1), scope=each) for each in (0, 1))))
    stream.end(2)
    fold = stream.fold()
    both, second = (timeline(selection_of(fold, scopes)) for scopes in (None, frozenset({1})))
    assert [sum(window.events or 0 for window in both.windows[part : part + 10]) for part in (0, 10)] == [30, 90]
    assert [sum(window.events or 0 for window in second.windows[part : part + 10]) for part in (0, 10)] == [20, 60]


@pytest.mark.parametrize(
    ("length_s", "window_s"), [(10, 0.1), (11, 1), (100, 1), (101, 2), (3_600, 60), (86_400, 1_200), (10**6, 10**6)]
)
def test_a_timeline_has_at_most_a_hundred_windows(length_s: int, window_s: float) -> None:
    stream = Stream()
    stream.add(activity((0, 1), (0, 5)))
    stream.end(length_s)
    section = timeline_of(stream)
    assert section.window_s == window_s
    assert len(section.windows) <= 100


def test_a_trace_of_no_length_has_no_windows() -> None:
    section = timeline_of(Stream())
    assert (section.windows, section.buckets, section.bursts) == ((), (), ())


@pytest.mark.parametrize(
    ("amounts", "bursts"),
    [
        ([1, 0, 0, 8], []),
        ([1, 0, 0, 9], [(3, 3.6)]),
        ([40], []),
        ([10, 10, 20], []),
        ([0, 0, 10, 0], [(2, 4.0)]),
    ],
)
def test_bursts_need_ten_events_two_windows_and_more_than_twice_the_mean(
    amounts: list[int], bursts: list[tuple[int, float]]
) -> None:
    assert bursts_of(amounts, total=sum(amounts), duration_s=float(len(amounts))) == bursts


def test_of_many_bursts_the_hundred_highest_are_listed_in_their_order() -> None:
    counts = [0]
    for second in range(1_000):
        counts.append(counts[-1] + (100 + second if second % 4 == 0 else 0))
    stream = Stream()
    for second in range(1_000):
        stream.add(activity((second, second + 1), counts[second : second + 2]), at_s=second + 1)
    stream.add(Totals(rows=(totals_row("files.open", count=counts[-1]),)), at_s=1_000)
    stream.end(1_000)
    section = timeline_of(stream)
    assert section.burst_windows > 100
    assert len(section.bursts) == 100
    assert [burst.start for burst in section.bursts] == sorted(burst.start for burst in section.bursts)
    assert section.bursts[-1].per_s == 100 + 996
