"""Distributions of durations as histograms on a logarithmic axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.selection import Dist
from kubectl_podtrace.report.charts.chart import Bin, Histogram, Mark
from kubectl_podtrace.wire.histogram import BUCKETS, SUB_BUCKETS, bucket_of, lower_bound

FINE_BUCKETS: Final = 5 * SUB_BUCKETS
"""Over so many buckets each is a bin; over more, four together are one: a quarter of a power of two."""
COARSE: Final = 4
FEWEST_TICKS: Final = 3
NARROWEST: Final = 20
"""The end of an axis is at least so many times its beginning: else what is hardly different looks very different."""
SHORTEST_NS: Final = 4
"""A logarithmic axis has no zero; what is shorter stands here."""


def histograms(operations: Iterable[tuple[str, Dist]]) -> tuple[Histogram, ...]:
    """Those of the operations of which durations are known."""
    return tuple(histogram(title, dist) for title, dist in operations if dist.count and dist.buckets)


def histogram(title: str, dist: Dist) -> Histogram:
    """One distribution, which has buckets."""
    bins = tuple(_bins(dist))
    percentiles = (("p50", dist.p50_ns), ("p95", dist.p95_ns), ("p99", dist.p99_ns), ("max", dist.max_ns))
    marks = tuple(Mark(label=label, at_ns=max(ns, SHORTEST_NS), text=units.duration(ns)) for label, ns in percentiles)
    low_ns, high_ns = _axis(bins[0].low_ns, max(bins[-1].high_ns, marks[-1].at_ns))
    return Histogram(
        title=title,
        summary=units.counted(dist.count, "duration"),
        low_ns=low_ns,
        high_ns=high_ns,
        bins=bins,
        marks=marks,
        ticks=tuple(_ticks(low_ns, high_ns)),
    )


def _axis(low_ns: int, high_ns: int) -> tuple[int, int]:
    """From one duration to another, and further at both ends where that is less than what people call alike."""
    missing = NARROWEST / (high_ns / low_ns)
    if missing <= 1:
        return low_ns, high_ns
    return max(round(low_ns / missing**0.5), 1), round(high_ns * missing**0.5)


def _bins(dist: Dist) -> Iterator[Bin]:
    places = [bucket_of(low) for low in dist.buckets]
    width = 1 if max(places) - min(places) < FINE_BUCKETS else COARSE
    counts: Counter[int] = Counter()
    for place, count in zip(places, dist.buckets.values(), strict=True):
        counts[place // width] += count
    for place in sorted(counts):
        low, high = lower_bound(place * width), _upper_bound(place * width + width)
        text = f"{units.duration(low)} to {units.duration(high)}: {units.count(counts[place])}"
        yield Bin(low_ns=max(low, SHORTEST_NS), high_ns=high, count=counts[place], text=text)


def _upper_bound(bucket: int) -> int:
    """Where a bucket begins; the last one, which is open, ends where it were full if it were as wide as its octave."""
    return lower_bound(bucket) if bucket < BUCKETS else lower_bound(BUCKETS - 1) * 2


def _ticks(first_ns: int, last_ns: int) -> Iterator[Mark]:
    """Round durations from one end of the axis to the other: powers of ten; where there are few, 2 and 5 of each."""
    powers = [10**exponent for exponent in range(len(str(last_ns)))]
    inside = [ns for ns in powers if first_ns <= ns <= last_ns]
    if len(inside) < FEWEST_TICKS:
        inside = [ns * digit for ns in powers for digit in (1, 2, 5) if first_ns <= ns * digit <= last_ns]
    for ns in inside:
        yield Mark(label="", at_ns=ns, text=units.round_duration(ns))
