"""How a cumulative counter grew over time: points in bounded memory, and where it stood at any moment between them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from kubectl_podtrace.units import SECOND_NS

MAX_POINTS: Final = 200_000
"""A day of seconds fits; beyond it every second point is given up, which halves the resolution of what is past."""
MAX_WINDOWS: Final = 1_000_000
TOLD_NS: Final = 1_500_000_000
"""Points so near to each other tell what lies between them: a reading each second may come a little late."""


class Series:
    """The points (time, count, bytes) at which one counter stood.

    Between two points that are near each other it grew evenly. Between others nobody knows when it grew: lines are
    missing, or the tracer was held up.
    """

    def __init__(self, started_ns: int) -> None:
        self._times = array("Q", [started_ns])
        self._counts = array("Q", [0])
        self._bytes = array("Q", [0])
        self._seen_ns = started_ns
        self._told_ns = TOLD_NS
        self._untold: set[int] = set()

    def add(self, at_ns: int, count: int, byte_count: int, *, gap_ns: int) -> None:
        """The counter's value in a line that comes in the second in which it changed, and not otherwise.

        So growth belongs to the second before the line, unless lines are missing since the counter was last seen: then
        to all of that time. `gap_ns` is the time of the newest line before the newest gap (0: none).
        """
        if at_ns <= self._times[-1]:
            return
        is_told = not gap_ns or gap_ns < self._seen_ns
        since = max(self._seen_ns, at_ns - SECOND_NS) if is_told else self._seen_ns
        self._seen_ns = at_ns
        self.add_grown(since, at_ns, count, byte_count, is_told=is_told)

    def add_grown(self, since_ns: int, at_ns: int, count: int, byte_count: int, *, is_told: bool = True) -> None:
        """The counter's value; whatever it grew since the newest point, it grew after a moment, told of it or not."""
        if at_ns <= self._times[-1] or count < self._counts[-1] or byte_count < self._bytes[-1]:
            return
        if (count, byte_count) == (self._counts[-1], self._bytes[-1]):
            return
        if since_ns > self._times[-1]:
            self._append(min(since_ns, at_ns - 1), self._counts[-1], self._bytes[-1])
        self._append(at_ns, count, byte_count)
        if not is_told:
            self._untold.add(at_ns)

    @property
    def points(self) -> int:
        """How many points are kept."""
        return len(self._times)

    @property
    def newest_ns(self) -> int:
        """The time of the newest point."""
        return self._times[-1]

    @property
    def newest(self) -> tuple[int, int]:
        """The newest count and bytes."""
        return self._counts[-1], self._bytes[-1]

    def standings(self, moments: Sequence[int], *, end_ns: int | None, in_bytes: bool) -> Iterator[float | None]:
        """Where the count (or the bytes) stood at moments in ascending order; None where nobody knows.

        What was read after the end of the trace, if it has one, tells of the time before.
        """
        times, values = self._times, self._bytes if in_bytes else self._counts
        following = 0
        for moment in moments:
            if moment <= times[0]:
                yield 0.0
                continue
            if moment >= times[-1] or (end_ns is not None and moment >= end_ns):
                yield float(values[-1])
                continue
            following = bisect_left(times, moment, following)
            yield self._between(following, moment, values, end_ns)

    def _between(self, following: int, moment: int, values: array[int], end_ns: int | None) -> float | None:
        """Where it stood at a moment at or before the point `following`, after the one before that."""
        finish, before, after = self._times[following], values[following - 1], values[following]
        if end_ns is not None:
            finish = min(finish, end_ns)
        begin = min(self._times[following - 1], finish - 1)
        if before == after or moment >= finish:
            return float(after)
        if moment <= begin:
            return float(before)
        if finish - begin > self._told_ns or self._times[following] in self._untold:
            return None
        return before + (after - before) * ((moment - begin) / (finish - begin))

    def _append(self, at_ns: int, count: int, byte_count: int) -> None:
        if len(self._times) >= MAX_POINTS:
            # Slices of every second point, the oldest and the newest kept.
            for points in (self._times, self._counts, self._bytes):
                del points[1:-1:2]
            self._told_ns *= 2
        self._times.append(at_ns)
        self._counts.append(count)
        self._bytes.append(byte_count)
