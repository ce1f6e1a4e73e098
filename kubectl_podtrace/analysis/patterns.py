"""How connection attempts spread over time: steady, bursty or sporadic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from kubectl_podtrace.analysis.growth import READING_NS, edges_of, parts_of
from kubectl_podtrace.analysis.selection import Selection

Pattern = Literal["steady", "bursty", "sporadic"]

PARTS: Final = 10


def connection_pattern(selection: Selection) -> Pattern | None:
    """The pattern of the attempts; None without any, or where fewer than two windows are known."""
    if not selection.of("connections.attempt").count:
        return None
    return pattern_of([amount for amount in selection.amounts("connections", _edges(selection)) if amount is not None])


def pattern_of(amounts: Sequence[int]) -> Pattern | None:
    """Bursty where the population standard deviation is above half the mean, steady where it is below a tenth of it.

    In whole numbers, each side times the number of windows squared: the variance is then n * sum(x * x) - sum(x)**2,
    and the mean's square sum(x)**2.

    >>> pattern_of([10, 10, 10]), pattern_of([0, 0, 9]), pattern_of([8, 10, 12]), pattern_of([7])
    ('steady', 'bursty', 'sporadic', None)
    """
    if len(amounts) < 2 or not any(amounts):
        return None
    squared_mean = sum(amounts) ** 2
    variance = len(amounts) * sum(amount * amount for amount in amounts) - squared_mean
    if 4 * variance > squared_mean:
        return "bursty"
    return "steady" if 100 * variance < squared_mean else "sporadic"


def _edges(selection: Selection) -> tuple[int, ...]:
    """Windows of a tenth of the time, not shorter than 100 ms, nor than the time between two readings."""
    start_ns, end_ns = selection.start_ns, selection.end_ns
    shortest_ns = max(READING_NS, selection.growth["connections"].resolution_ns)
    if end_ns - start_ns >= PARTS * shortest_ns:
        return parts_of(start_ns, end_ns, PARTS)
    return edges_of(start_ns, end_ns, shortest_ns)
