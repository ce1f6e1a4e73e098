from __future__ import annotations

import pytest

from benchmarks.rounds import Rounds, Sample, is_steady, order_of, ratio


def measured(**cpu_ns: list[float]) -> Rounds:
    rounds = Rounds(untraced="untraced")
    for mode, values in cpu_ns.items():
        for value in values:
            rounds.add("load", mode, Sample(cpu_ns=value))
    return rounds


def test_a_round_is_compared_with_the_untraced_run_of_the_same_round() -> None:
    # The machine was half as fast in the second round: both runs of it took twice as long.
    found = ratio([110, 240, 130], [100, 200, 100])
    assert (found.median, found.least, found.most) == (1.2, 1.1, 1.3)


def test_rounds_of_different_number_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])


def test_untraced_runs_have_the_ratio_one() -> None:
    found = measured(untraced=[3, 7, 5]).cpu_ratio("load", "untraced")
    assert (found.median, found.least, found.most) == (1, 1, 1)


def test_throughput_is_compared_as_cpu_time_is() -> None:
    rounds = Rounds(untraced="untraced")
    for mode, per_s in (("untraced", 1000), ("untraced", 500), ("everything", 980), ("everything", 480)):
        rounds.add("server", mode, Sample(cpu_ns=1, per_s=per_s, p99_ns=5))
    found = rounds.throughput_ratio("server", "everything")
    assert (found.least, found.most) == (0.96, 0.98)
    assert rounds.p99_ns("server", "everything") == [5, 5]


def test_a_load_that_is_no_server_has_neither_throughput_nor_percentiles() -> None:
    rounds = measured(untraced=[1])
    assert (rounds.per_s("load", "untraced"), rounds.p99_ns("load", "untraced")) == ([], [])


@pytest.mark.parametrize(
    ("values", "steady"),
    [
        ([100, 100, 100], True),
        ([97.4, 98, 100, 102, 250], True),  # one wild round is not the middle half
        ([90, 95, 100, 105, 110], False),
        ([100, 100], False),  # two rounds say nothing about spread
    ],
)
def test_steady_means_that_the_middle_half_lies_within_five_percent(values: list[float], *, steady: bool) -> None:
    assert is_steady(values) is steady


def test_each_round_has_an_order_of_its_own_and_the_same_one_every_time() -> None:
    names = [f"mode {number}" for number in range(9)]
    orders = [order_of(names, number) for number in range(5)]
    assert all(sorted(order) == names for order in orders)
    assert len({tuple(order) for order in orders}) == 5
    assert orders == [order_of(names, number) for number in range(5)]


def test_a_mark_is_missed_when_the_median_is_above_it() -> None:
    rounds = measured(untraced=[100, 100, 100], at=[115, 115, 115], above=[100, 116, 116])
    marks = {("load", "at"): 1.15, ("load", "above"): 1.15, ("load", "not measured"): 1.0}
    assert rounds.missed(marks) == [("load", "above")]
