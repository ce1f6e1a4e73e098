"""Which lines are new, late or repeated, and what is missing."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_podtrace.analysis.sequence import MAX_RANGES, Place, Sequence


def placed(*numbers: int) -> Sequence:
    sequence = Sequence()
    for number in numbers:
        sequence.place(number, number + 1)
    return sequence


def missing(sequence: Sequence) -> list[tuple[int, int]]:
    return [(gap.at_ns, gap.lines) for gap in sequence.gaps]


def test_a_gap_is_dated_by_the_line_before_it_and_shrinks_with_each_late_line() -> None:
    sequence = placed(0, 1, 6)
    assert missing(sequence) == [(2, 4)]
    assert sequence.place(3, 4) is Place.LATE
    assert missing(sequence) == [(2, 3)]
    assert sequence.place(3, 4) is Place.DUPLICATE
    assert [sequence.place(number, 0) for number in (2, 5, 4)] == [Place.LATE] * 3
    assert missing(sequence) == []


@settings(max_examples=60)
@given(st.lists(st.integers(min_value=0, max_value=400), max_size=200))
def test_each_line_is_taken_once_and_the_rest_is_missing(numbers: list[int]) -> None:
    sequence = Sequence()
    taken = [number for number in numbers if sequence.place(number, number) is not Place.DUPLICATE]
    assert sorted(taken) == sorted(set(numbers))
    assert sum(gap.lines for gap in sequence.gaps) == max(numbers, default=-1) + 1 - len(taken)


def test_gaps_beyond_those_that_are_kept_apart_are_still_counted() -> None:
    sequence = placed(*range(0, 4 * MAX_RANGES, 2))
    assert sum(gap.lines for gap in sequence.gaps) == 2 * MAX_RANGES - 1
    assert len(sequence.gaps) <= MAX_RANGES + 1
    # Late lines that cut runs in two make no more of them.
    sequence = placed(*range(0, 4 * MAX_RANGES, 4))
    for number in range(2, 4 * MAX_RANGES, 4):
        sequence.place(number, number)
    known = sum(gap.lines for gap in sequence.gaps)
    assert known >= 2 * MAX_RANGES - 2
    assert len(sequence.gaps) <= MAX_RANGES + 1


def test_a_log_that_comes_again_costs_the_same_whatever_is_missing_in_it() -> None:
    def again_s(step: int) -> float:
        sequence = placed(*range(0, 2_000 * step, step))
        began = time.process_time()
        for _ in range(50):
            for number in range(0, 2_000 * step, step):
                sequence.place(number, number)
        return time.process_time() - began

    # With 1,000 gaps; a search from the first to the last of them took some 200 times as long.
    assert again_s(2) < 10 * again_s(1)
