"""What was measured, and the arithmetic on it: every kind of tracing is compared within its own round."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

STEADY_RATIO = 0.05
"""A percentile whose middle half of rounds is further apart than this is not worth printing."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of a load: CPU time of one operation; for servers also operations per second and the 99th percentile."""

    cpu_ns: float
    per_s: float | None = None
    p99_ns: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The median over the rounds, and the least and the most of them."""

    median: float
    least: float
    most: float


def ratio(own: Sequence[float], untraced: Sequence[float]) -> Ratio:
    """Each round's number to the untraced one of the same round."""
    each = [mine / other for mine, other in zip(own, untraced, strict=True)]
    return Ratio(median=statistics.median(each), least=min(each), most=max(each))


def is_steady(values: Sequence[float]) -> bool:
    """Do the middle half of the values lie within STEADY_RATIO of their median?"""
    if len(values) < 3:
        return False
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return high - low <= STEADY_RATIO * statistics.median(values)


def order_of(names: Iterable[str], number: int) -> list[str]:
    """The names in an order of this round's own, so that none always comes behind the same other one."""
    shuffled = list(names)
    random.Random(number).shuffle(shuffled)
    return shuffled


@dataclass(kw_only=True)
class Rounds:
    """Every sample, by load and kind of tracing, in the order of the rounds."""

    untraced: str
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)

    def add(self, load: str, mode: str, sample: Sample) -> None:
        """One more run."""
        self.samples.setdefault((load, mode), []).append(sample)

    def cpu_ns(self, load: str, mode: str) -> list[float]:
        """CPU time of one operation, round by round."""
        return [sample.cpu_ns for sample in self.samples[load, mode]]

    def per_s(self, load: str, mode: str) -> list[float]:
        """Operations per second, round by round; none for a load that is no server."""
        return [sample.per_s for sample in self.samples[load, mode] if sample.per_s is not None]

    def p99_ns(self, load: str, mode: str) -> list[float]:
        """The 99th percentile, round by round; none for a load that is no server."""
        return [sample.p99_ns for sample in self.samples[load, mode] if sample.p99_ns is not None]

    def cpu_ratio(self, load: str, mode: str) -> Ratio:
        """CPU time to that of the untraced runs."""
        return ratio(self.cpu_ns(load, mode), self.cpu_ns(load, self.untraced))

    def throughput_ratio(self, load: str, mode: str) -> Ratio:
        """Operations per second to those of the untraced runs."""
        return ratio(self.per_s(load, mode), self.per_s(load, self.untraced))

    def missed(self, marks: Mapping[tuple[str, str], float]) -> list[tuple[str, str]]:
        """Loads and kinds of tracing whose CPU ratio is above its mark."""
        measured = (key for key in marks if key in self.samples)
        return [key for key in measured if self.cpu_ratio(*key).median > marks[key]]
