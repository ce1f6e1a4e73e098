"""How a cumulative counter grew over time: points in bounded memory, and amounts per window."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from kubectl_podtrace.units import SECOND_NS

MAX_POINTS: Final = 100_000
"""A day of seconds fits; beyond it every second point is given up, which halves the resolution of what is past."""
MAX_WINDOWS: Final = 1_000_000


class Series:
    """The points (time, count, bytes) at which one counter stood.

    Counters travel in the second in which they changed, so growth belongs to the second before its line, unless lines
    are missing since the counter was last seen: then to all of that time.
    """

    def __init__(self, started_ns: int) -> None:
        self._times = array("Q", [started_ns])
        self._counts = array("Q", [0])
        self._bytes = array("Q", [0])
        self._seen_ns = started_ns

    def add(self, at_ns: int, count: int, byte_count: int, *, gap_ns: int) -> None:
        """The counter's value at a time; `gap_ns` is the time of the newest line before the newest gap (0: none)."""
        if at_ns <= self._times[-1]:
            return
        if (count, byte_count) != (self._counts[-1], self._bytes[-1]):
            since = self._seen_ns if gap_ns and gap_ns >= self._seen_ns else max(self._seen_ns, at_ns - SECOND_NS)
            if since > self._times[-1]:
                self._append(since, self._counts[-1], self._bytes[-1])
            self._append(at_ns, count, byte_count)
        self._seen_ns = at_ns

    def count_segments(self) -> Iterator[tuple[int, int, int]]:
        """(from, to, growth of the count) wherever it grew."""
        return _segments(self._times, self._counts)

    def byte_segments(self) -> Iterator[tuple[int, int, int]]:
        """(from, to, growth of the bytes) wherever they grew."""
        return _segments(self._times, self._bytes)

    def _append(self, at_ns: int, count: int, byte_count: int) -> None:
        if len(self._times) >= MAX_POINTS:
            # Slices of every second point, the oldest and the newest kept.
            for points in (self._times, self._counts, self._bytes):
                del points[1:-1:2]
        self._times.append(at_ns)
        self._counts.append(count)
        self._bytes.append(byte_count)


def amounts(
    segments: Iterable[tuple[int, int, int]], *, start_ns: int, end_ns: int, windows: int
) -> list[float] | None:
    """How much falls into each of so many equal windows; a segment's growth is spread evenly. None beyond reason."""
    if not 1 <= windows <= MAX_WINDOWS or end_ns <= start_ns:
        return None
    width = (end_ns - start_ns) / windows
    filled = [0.0] * windows
    for begin, finish, growth in segments:
        _spread(filled, (begin - start_ns) / width, (finish - start_ns) / width, growth)
    return filled


def until(end_ns: int, segments: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Segments of a trace that ended: the lines of the final snapshot follow the end and tell of the time before it."""
    for begin, finish, growth in segments:
        last = min(finish, end_ns)
        yield min(begin, last - 1), last, growth


def _spread(filled: list[float], begin: float, finish: float, growth: int) -> None:
    """Spreads growth over the windows between two positions; what lies outside of all windows is left out."""
    per_window = growth / (finish - begin)
    begin, finish = max(begin, 0.0), min(finish, float(len(filled)))
    window = int(begin)
    while begin < finish:
        upto = min(window + 1.0, finish)
        filled[window] += per_window * (upto - begin)
        begin, window = upto, window + 1


def _segments(times: array[int], values: array[int]) -> Iterator[tuple[int, int, int]]:
    for position in range(1, len(times)):
        growth = values[position] - values[position - 1]
        if growth > 0:
            yield times[position - 1], times[position], growth
