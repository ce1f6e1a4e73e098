"""How metrics go on from one report to the next: no counter falls, no list grows without end, sums stay exact.

A report's lists hold what is foremost at its moment; who is listed changes. A series that came and went, or came back
lower, would look like a restart to whoever takes its rate. So an entry that was exposed once stays, and what a list
does not expose adds up under its rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.report.metrics.model import Histogram, Kind, Labels, Metric, Sample, Value
from kubectl_podtrace.report.model import Report

MOST: Final = 100
"""A list has no more series than this (or than it lists at a time); who comes later is in its rest."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A metric with its series as they stand."""

    metric: Metric
    series: tuple[tuple[Labels, Value], ...]


class Series:
    """The series of one trace; takes one report after the other."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)
        self._values: dict[tuple[str, Labels], Value] = {}
        self._lists: dict[str, dict[Labels, _List]] = {}

    def take(self, report: Report) -> tuple[Family, ...]:
        """The metrics of a report that is newer than the last one; those without series are left out."""
        families = (
            Family(metric=metric, series=tuple(self._series(metric, report).items())) for metric in self._metrics
        )
        return tuple(family for family in families if family.series)

    def _series(self, metric: Metric, report: Report) -> Mapping[Labels, Value]:
        samples = tuple(metric.read(report))
        match metric.kind:
            case Kind.GAUGE | Kind.INFO:
                return _first(samples, metric.listed if metric.key else None)
            case Kind.COUNTER if metric.key:
                return self._listed(metric, samples)
            case _:
                return {sample.labels: self._grown(metric, sample) for sample in samples}

    def _grown(self, metric: Metric, sample: Sample) -> Value:
        """What it stands at: never less than it did."""
        key = (metric.name, sample.labels)
        before = self._values.get(key)
        now = sample.value if before is None else _larger(before, sample.value)
        self._values[key] = now
        return now

    def _listed(self, metric: Metric, samples: Iterable[Sample]) -> dict[Labels, Value]:
        groups: dict[Labels, tuple[dict[Labels, int], list[int]]] = {}
        for sample in samples:
            assert isinstance(sample.value, int)
            split = len(sample.labels) - metric.key
            rows, rest = groups.setdefault(sample.labels[:split], ({}, [0]))
            key = sample.labels[split:]
            if sample.is_rest:
                rest[0] += sample.value
            else:
                rows[key] = rows.get(key, 0) + sample.value
        known = self._lists.setdefault(metric.name, {})
        for group, (rows, rest) in groups.items():
            known.setdefault(group, _List(metric.listed)).take(rows, rest[0])
        found: dict[Labels, Value] = {}
        for group, told in known.items():
            found |= {(*group, *key): count for key, count in told.counts.items()}
            if told.rest:
                found[*group, metric.rest, *("",) * (metric.key - 1)] = told.rest
        return found


class _List:
    """One list: `counts` of what it exposes by key, the `rest`; together they are the total of the newest report.

    Each report is a growth of the total, which is dealt out: to each key what it grew by, and what is left to the rest.
    An entry that was part of the rest so far is exposed with what it grows by from now on. What a list tells ahead of
    its total is told when the total has it.
    """

    def __init__(self, listed: int) -> None:
        self.counts: dict[Labels, int] = {}
        self.rest = 0
        self._listed = listed
        self._in_rest: dict[Labels, int] = {}
        self._absent: set[Labels] = set()
        self._unexposed: dict[Labels, int] = {}

    def take(self, rows: Mapping[Labels, int], rest: int) -> None:
        """The next report: counts by key, the foremost first, and what they leave of the total."""
        growth = max(sum(rows.values()) + rest - sum(self.counts.values()) - self.rest, 0)
        for key in self.counts:
            if key in rows:
                growth -= self._grow(key, rows[key], growth)
        self._absent = self.counts.keys() - rows.keys()
        for key, count in list(rows.items())[: self._listed]:
            if key not in self.counts and len(self.counts) < max(MOST, self._listed):
                part = min(max(count - self._unexposed.get(key, 0), 0), growth)
                self.counts[key], self._in_rest[key] = part, count - part
                growth -= part
        self.rest += growth
        self._unexposed = {key: count for key, count in rows.items() if key not in self.counts}

    def _grow(self, key: Labels, count: int, growth: int) -> int:
        if key in self._absent:
            # Nobody knows how much of what it grew by meanwhile is in the rest: all of it is left there.
            self._in_rest[key] = count - self.counts[key]
        part = min(max(count - self._in_rest[key] - self.counts[key], 0), growth)
        self.counts[key] += part
        return part


def _first(samples: Iterable[Sample], most: int | None) -> dict[Labels, Value]:
    """So many different ones, each as it comes first."""
    found: dict[Labels, Value] = {}
    for sample in samples:
        if most is None or len(found) < most:
            found.setdefault(sample.labels, sample.value)
    return found


def _larger(before: Value, now: Value) -> Value:
    if isinstance(before, Histogram) and isinstance(now, Histogram):
        return Histogram(
            count=max(before.count, now.count),
            sum_ns=max(before.sum_ns, now.sum_ns),
            below=tuple(map(max, before.below, now.below)),
        )
    assert not isinstance(before, Histogram)
    assert not isinstance(now, Histogram)
    return max(before, now)
