"""Text of numbers: three digits, never a wrong unit, thresholds as they were set."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace import units

SCALE = {"ns": 1, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (9_999, "10.0 µs"),
        (99_999, "100 µs"),
        (999_499, "999 µs"),
        (999_999, "1.00 ms"),
        (12_345_678, "12.3 ms"),
        (999_999_999, "1.00 s"),
        (99_900_000_000, "99.9 s"),
        (100_000_000_000, "1 min 40 s"),
        (3_599_999_999_999, "1 h 0 min"),
        (86_400_000_000_000, "24 h 0 min"),
    ],
)
def test_durations_have_three_digits_and_the_unit_that_fits(ns: int, text: str) -> None:
    assert units.duration(ns) == text


@given(st.integers(0, 99 * 10**9))
def test_a_duration_is_never_more_than_half_a_percent_off(ns: int) -> None:
    found = re.fullmatch(r"([\d.]+) (\S+)", units.duration(ns))
    assert found is not None
    assert abs(float(found[1]) * SCALE[found[2]] - ns) <= 0.005 * ns + 1


@given(st.integers(0, 2**64))
def test_a_size_is_never_more_than_half_a_percent_off(number: int) -> None:
    text, unit = units.size(number).split()
    power = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].index(unit)
    assert abs(float(text) * 1024**power - number) <= 0.005 * number + 1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999.6, "1000 B"),
        (1000, "1000 B"),
        (1023, "1023 B"),
        (1023.4, "1023 B"),
        (1023.5, "1.00 KiB"),
        (1024, "1.00 KiB"),
        (1000 * 1024, "1000 KiB"),
        (1024**2 - 1, "1.00 MiB"),
        (1024**2, "1.00 MiB"),
    ],
)
def test_a_size_has_the_largest_unit_of_which_there_is_one(number: float, text: str) -> None:
    assert units.size(number) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.0005, "< 0.1 %"), (0.001, "0.1 %"), (0.5, "50.0 %"), (0.99951, "> 99.9 %")],
)
def test_a_share_is_all_or_nothing_only_when_it_is(share: float, text: str) -> None:
    assert units.ratio(share) == text


@given(st.integers(1, 10**13))
def test_a_threshold_keeps_every_digit(ns: int) -> None:
    number, unit = units.threshold(ns).split()
    assert unit == "ms"
    assert round(float(number) * 10**6) == pytest.approx(ns, abs=1)


@pytest.mark.parametrize(
    ("per_s", "text"), [(0.0, "0/s"), (0.0001, "< 0.001/s"), (1, "1.00/s"), (999.6, "1,000/s"), (1e6, "1,000,000/s")]
)
def test_rates_are_short(per_s: float, text: str) -> None:
    assert units.rate(per_s) == text


def test_one_thing_is_singular() -> None:
    assert units.counted(1, "process", "processes") == "1 process"
    assert units.counted(0, "process", "processes") == "0 processes"
