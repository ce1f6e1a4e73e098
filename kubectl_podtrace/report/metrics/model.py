"""What a metric is: its name, what it says, and how its samples are read out of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from typing import Final, Generic, Protocol, TypeVar

from kubectl_podtrace.analysis.selection import OTHER, Dist
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.text import plain
from kubectl_podtrace.units import SECOND_NS

Labels = tuple[str, ...]
Section = TypeVar("Section")

UNKNOWN: Final = "UNKNOWN"
"""Stands for the errors whose number is not known."""
LABEL_CHARS: Final = 200
_ERRORS: Final = 200
LISTED: Final = 20
"""So many entries of a list become series at a time."""
BOUNDS_NS: Final = tuple(1 << exponent for exponent in range(10, 41))
"""The upper bounds of the buckets: 1.024 µs, doubled up to 18 minutes. All are bounds of the tracer's own buckets."""


class Kind(Enum):
    """The types of metrics, by their names in the exposition formats."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Durations: how many, their sum, and how many took less than each of `BOUNDS_NS`."""

    count: int
    sum_ns: int
    below: tuple[int, ...]

    @classmethod
    def of(cls, dist: Dist) -> Histogram:
        """That of a distribution. Where its histogram is ahead of its count, the count holds for the bounds too."""
        lower, counts = list(dist.buckets), [0, *accumulate(dist.buckets.values())]
        found, position = [], 0
        for bound in BOUNDS_NS:
            while position < len(lower) and lower[position] < bound:
                position += 1
            found.append(min(counts[position], dist.count))
        return cls(count=dist.count, sum_ns=dist.sum_ns, below=tuple(found))


Value = int | float | Histogram


@dataclass(frozen=True)
class Sample:
    """A value under its labels' values. `is_rest`: it stands for all that a list does not hold."""

    labels: Labels
    value: Value
    is_rest: bool = False


class Reader(Protocol):
    """Reads the samples of a metric; none where it was not measured."""

    def __call__(self, report: Report, /) -> Iterable[Sample]:
        """The samples of a report."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric, under its name in the text format; a counter's ends with `_total`.

    `per_unit` is how many of the report's units are one of the metric's: a second is 10^9 nanoseconds. `key` says how
    many of the last labels tell the entries of a list from each other, 0 where there is no list; of one, `listed`
    entries become series at a time. What is left is a series whose first label of the key is `rest`.
    """

    name: str
    kind: Kind
    help: str
    read: Reader
    labels: Labels = ()
    per_unit: int = 1
    key: int = 0
    listed: int = LISTED
    rest: str = OTHER


def label(text: str) -> str:
    r"""Text from outside as a label's value: one visible line, not endless.

    >>> label("a\nb"), len(label("x" * 300))
    ('a\\nb', 200)
    """
    shown = plain(text)
    return shown if len(shown) <= LABEL_CHARS else f"{shown[: LABEL_CHARS - 3]}..."


class Of(Generic[Section]):
    """The readers of metrics that come from one section: without the section there are no samples."""

    def __init__(self, section: Callable[[Report], Section | None]) -> None:
        self._section = section

    def value(self, read: Callable[[Section], Value | None]) -> Reader:
        """Of one number; None is none."""

        def samples(section: Section) -> Iterator[Sample]:
            value = read(section)
            if value is not None:
                yield Sample((), value)

        return self.samples(samples)

    def histogram(self, read: Callable[[Section], Dist]) -> Reader:
        """Of one distribution."""
        return self.value(lambda section: Histogram.of(read(section)))

    def samples(self, read: Callable[[Section], Iterable[Sample]]) -> Reader:
        """Of several numbers."""

        def samples(report: Report) -> Iterable[Sample]:
            section = self._section(report)
            return () if section is None else read(section)

        return samples


def errors(name: str, text: str, read: Reader, *, labels: Labels = ()) -> Metric:
    """Failures by the name of their error, behind labels of their own; of so many names none is left out."""
    return Metric(
        name=name,
        kind=Kind.COUNTER,
        help=text,
        labels=(*labels, "error"),
        read=read,
        key=1,
        listed=_ERRORS,
        rest=UNKNOWN,
    )


def by_name(counts: dict[str, int], *group: str, rest: str = OTHER) -> Iterator[Sample]:
    """Counts by name as a list, behind labels that they have in common."""
    for name, count in counts.items():
        yield Sample((*group, label(name)), count, is_rest=name == rest)


SECONDS: Final = SECOND_NS
