"""The histogram's arithmetic: every duration has one bucket, and its midpoint is close."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.wire.histogram import BUCKETS, LAST_EXPONENT, bucket_of, lower_bound, midpoint, percentile

LAST_BOUND = lower_bound(BUCKETS - 1)
durations = st.integers(0, 70).flatmap(lambda exponent: st.integers(0, 2**exponent))


def r7(values: list[int], fraction: float) -> float:
    ordered = sorted(values)
    position = (len(ordered) - 1) * fraction
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@given(durations)
def test_a_duration_lies_between_the_bounds_of_its_bucket(value: int) -> None:
    bucket = bucket_of(value)
    assert lower_bound(bucket) <= value
    if bucket + 1 < BUCKETS:
        assert value < lower_bound(bucket + 1)


@given(st.integers(128, LAST_BOUND - 1))
def test_the_midpoint_is_at_most_3_2_percent_away(value: int) -> None:
    assert abs(midpoint(bucket_of(value)) - value) <= 0.032 * value


@given(st.integers(0, 127))
def test_below_128_ns_the_midpoint_is_at_most_4_ns_away(value: int) -> None:
    assert abs(midpoint(bucket_of(value)) - value) <= 4


def test_bounds_rise_strictly_and_begin_at_zero() -> None:
    bounds = [lower_bound(bucket) for bucket in range(BUCKETS)]
    assert bounds[0] == 0
    assert all(low < high for low, high in pairwise(bounds))
    assert [bucket_of(bound) for bound in bounds] == list(range(BUCKETS))


def test_the_last_bucket_takes_all_that_is_longer() -> None:
    assert bucket_of(2**64 - 1) == bucket_of(1 << (LAST_EXPONENT + 1)) == BUCKETS - 1


@pytest.mark.parametrize("bucket", [-1, BUCKETS])
def test_a_bucket_that_does_not_exist_has_no_bounds(bucket: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        lower_bound(bucket)


@given(st.lists(st.integers(128, 10**12), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_percentiles_are_those_of_the_samples_within_3_2_percent(values: list[int], fraction: float) -> None:
    exact = r7(values, fraction)
    found = percentile(Counter(map(bucket_of, values)), fraction, max(values))
    assert abs(found - exact) <= 0.032 * exact + 1


def test_percentiles_of_a_long_tail_are_within_3_2_percent() -> None:
    source = random.Random(17)
    values = [round(source.lognormvariate(12, 2)) + 128 for _ in range(100_003)]
    buckets = Counter(map(bucket_of, values))
    for fraction in (0.5, 0.95, 0.99):
        exact = r7(values, fraction)
        assert abs(percentile(buckets, fraction, max(values)) - exact) <= 0.032 * exact


def test_a_percentile_is_never_above_the_maximum() -> None:
    assert percentile({bucket_of(1_000_000): 3}, 0.99, 1_000_000) <= 1_000_000


def test_an_empty_histogram_has_the_percentile_zero() -> None:
    assert percentile({}, 0.5, 0) == 0


def test_one_sample_is_all_its_percentiles() -> None:
    assert len({percentile({40: 1}, fraction, 10**9) for fraction in (0.0, 0.5, 0.95, 1.0)}) == 1
