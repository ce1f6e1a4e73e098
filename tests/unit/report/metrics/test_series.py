"""From report to report no counter falls, lists stay bounded, and their sums are exact."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.report.metrics.model import BOUNDS_NS, Histogram, Kind, Metric, Reader, Sample, Value
from kubectl_podtrace.report.metrics.series import MOST, Series
from kubectl_podtrace.report.model import Report
from tests.unit.report.reports import REPORTS

REPORT = REPORTS["silent"]()
LISTED = 3


class Told:
    """A metric whose samples a test says."""

    def __init__(self, *, kind: Kind = Kind.COUNTER, labels: tuple[str, ...] = ("name",), key: int = 1) -> None:
        self.samples: tuple[Sample, ...] = ()
        self.metric = Metric(
            name="m_total", kind=kind, help="", labels=labels, read=self._read(), key=key, listed=LISTED
        )
        self._series = Series((self.metric,))

    def _read(self) -> Reader:
        def read(_report: Report, /) -> Iterable[Sample]:
            return self.samples

        return read

    def take(self, *samples: Sample) -> dict[tuple[str, ...], Value]:
        self.samples = samples
        return {labels: value for family in self._series.take(REPORT) for labels, value in family.series}

    def rows(self, rows: dict[str, int], *, total: int) -> dict[str, Value]:
        """A list, the foremost first, and the rest of a total."""
        samples = [Sample((name,), count) for name, count in sorted(rows.items(), key=lambda row: -row[1])]
        rest = Sample(("(other)",), total - sum(rows.values()), is_rest=True)
        return {labels[0]: value for labels, value in self.take(*samples, rest).items()}


def test_the_first_entries_are_exposed_and_the_others_add_up() -> None:
    found = Told().rows({"a": 9, "b": 7, "c": 5, "d": 3}, total=30)
    assert found == {"a": 9, "b": 7, "c": 5, "(other)": 9}


def test_an_entry_that_falls_behind_stays_and_goes_on() -> None:
    told = Told()
    told.rows({"a": 9, "b": 7, "c": 5}, total=21)
    found = told.rows({"x": 20, "y": 19, "z": 18, "a": 10, "b": 7, "c": 5}, total=79)
    assert found == {"a": 10, "b": 7, "c": 5, "x": 20, "y": 19, "z": 18}


def test_an_entry_that_comes_late_begins_with_what_the_rest_has_not_told() -> None:
    told = Told()
    assert told.rows({"a": 9, "b": 8, "c": 7, "late": 6}, total=40)["(other)"] == 16
    found = told.rows({"late": 10, "a": 9, "b": 8, "c": 7}, total=44)
    assert found == {"a": 9, "b": 8, "c": 7, "late": 4, "(other)": 16}
    assert told.rows({"late": 15, "a": 9, "b": 8, "c": 7}, total=49)["late"] == 9


def test_an_entry_that_was_not_listed_for_a_while_goes_on_where_it_stood() -> None:
    told = Told()
    told.rows({"a": 5}, total=5)
    assert told.rows({"b": 9}, total=16) == {"a": 5, "b": 9, "(other)": 2}
    assert told.rows({"a": 9, "b": 9}, total=20) == {"a": 5, "b": 9, "(other)": 6}
    assert told.rows({"a": 10, "b": 9}, total=21) == {"a": 6, "b": 9, "(other)": 6}


def test_a_list_that_is_ahead_of_its_total_is_told_when_the_total_has_it() -> None:
    told = Told()
    told.rows({"a": 10}, total=20)
    assert told.rows({"a": 13}, total=20) == {"a": 10, "(other)": 10}
    assert told.rows({"a": 13}, total=25) == {"a": 13, "(other)": 12}


def test_a_counter_that_falls_stands_still() -> None:
    told = Told(labels=(), key=0)
    assert told.take(Sample((), 5)) == {(): 5}
    assert told.take(Sample((), 4)) == {(): 5}
    assert told.take(Sample((), 6)) == {(): 6}


def test_no_part_of_a_histogram_falls() -> None:
    told = Told(kind=Kind.HISTOGRAM, labels=(), key=0)
    width = len(BOUNDS_NS)
    told.take(Sample((), Histogram(count=5, sum_ns=50, below=(5,) * width)))
    found = told.take(Sample((), Histogram(count=4, sum_ns=60, below=(4,) * (width - 1) + (6,))))
    assert found == {(): Histogram(count=5, sum_ns=60, below=(5,) * (width - 1) + (6,))}


def test_a_gauge_is_what_it_is_now() -> None:
    told = Told(kind=Kind.GAUGE)
    told.take(Sample(("a",), 5), Sample(("b",), 7))
    assert told.take(Sample(("a",), 4), Sample(("a",), 9)) == {("a",): 4}


def test_lists_of_several_groups_are_apart() -> None:
    told = Told(labels=("operation", "error"))
    assert told.take(
        Sample(("read", "EIO"), 2), Sample(("write", "EIO"), 3), Sample(("write", "x"), 1, is_rest=True)
    ) == {
        ("read", "EIO"): 2,
        ("write", "EIO"): 3,
        ("write", "(other)"): 1,
    }
    assert told.take(Sample(("write", "EIO"), 4))["read", "EIO"] == 2


def test_entries_of_one_name_are_one() -> None:
    assert Told().rows({"a": 2}, total=3) == {"a": 2, "(other)": 1}
    assert Told().take(Sample(("a",), 2), Sample(("a",), 5)) == {("a",): 7}


GROWTHS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 150), st.integers(0, 50), max_size=30),
        st.integers(1, 8),
        st.integers(0, 20),
    ),
    max_size=25,
)


@given(GROWTHS)
def test_whatever_a_list_goes_through_sums_are_exact_and_nothing_falls(
    steps: list[tuple[dict[int, int], int, int]],
) -> None:
    told, counts, unlisted = Told(), dict[str, int](), 0
    before: dict[str, Value] = {}
    for growth, shown, elsewhere in steps:
        unlisted += elsewhere
        for name, more in growth.items():
            counts[f"n{name}"] = counts.get(f"n{name}", 0) + more
        total = sum(counts.values()) + unlisted
        # A report lists so many; who they are changes.
        foremost = dict(sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:shown])
        found = told.rows(foremost, total=total)
        assert sum(value for value in found.values() if isinstance(value, int)) == total
        assert len(found) <= MOST + 1
        assert all(found[name] >= value for name, value in before.items())  # type: ignore[operator]
        before = found
