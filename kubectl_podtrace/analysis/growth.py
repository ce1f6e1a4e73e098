"""How much happened in each window of a trace: exact where the stream tells of it, unknown where it does not.

A window's amount is the difference of where the sum stood at its two edges. So windows add up to the total, and one
that has an edge in a time of which no line tells has no amount, rather than a wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor
from typing import Final, Literal, assert_never

from kubectl_podtrace.analysis.series import MAX_WINDOWS, Series
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.topics import ATTEMPTS, TRANSFERS

Group = Literal["events", "connections", "network_io"]
GROUPS: Final[tuple[Group, ...]] = ("events", "connections", "network_io")
"""What is followed over time: all events, connection attempts, sends and receives (with their bytes)."""
READING_NS: Final = 100_000_000
"""No tracer reads its sums more often; one that does not tell of these readings is known to the second."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """The counters that make up a group. Between two readings, `resolution_ns` apart, they grew evenly.

    Readings went on until `told_until_ns`.
    """

    series: tuple[Series, ...] = ()
    resolution_ns: int = SECOND_NS
    told_until_ns: int = 0

    def amounts(
        self, edges: Sequence[int], *, total: int | None, in_bytes: bool = False
    ) -> tuple[int | None, ...] | None:
        """How much fell between each two neighbours of ascending moments; None where no line tells.

        With a `total` the trace has ended at the last edge, and that is all there was. None as a whole is too many.
        """
        if not 2 <= len(edges) <= MAX_WINDOWS + 1:
            return None
        end_ns = None if total is None else edges[-1]
        sums: list[float | None] = self._untold(edges, total, in_bytes=in_bytes)
        for series in self.series:
            standings = series.standings(edges, end_ns=end_ns, in_bytes=in_bytes)
            sums = [None if a is None or b is None else a + b for a, b in zip(sums, standings, strict=True)]
        known = [None if each is None else floor(each + 0.5) for each in sums]
        return tuple(None if before is None or after is None else after - before for before, after in pairwise(known))

    def _untold(self, edges: Sequence[int], total: int | None, *, in_bytes: bool) -> list[float | None]:
        """What is in the total, and in no reading: it came after the last one."""
        rest = 0 if total is None else max(total - sum(series.newest[in_bytes] for series in self.series), 0)
        if not rest:
            return [0.0] * len(edges)
        end_ns = edges[-1]
        begin_ns = min(self.told_until_ns, end_ns - 1)
        length = end_ns - begin_ns

        def standing(moment: int) -> float | None:
            if moment <= begin_ns:
                return 0.0
            if moment < end_ns and length > 1.5 * self.resolution_ns:
                return None
            return rest * min((moment - begin_ns) / length, 1.0)

        return [standing(moment) for moment in edges]


def operations_of(group: Group, event_operations: frozenset[str]) -> frozenset[str]:
    """The operations that a group adds up, in a trace in which these are events."""
    match group:
        case "events":
            return event_operations
        case "connections":
            return ATTEMPTS
        case "network_io":
            return TRANSFERS
        case _:
            assert_never(group)


def edges_of(start_ns: int, end_ns: int, width_ns: int) -> tuple[int, ...]:
    """The edges of windows of a width from the start on; the last window ends with the trace, and may be shorter.

    >>> edges_of(0, 25, 10), edges_of(0, 20, 10), edges_of(7, 7, 10)
    ((0, 10, 20, 25), (0, 10, 20), ())
    """
    if end_ns <= start_ns or (end_ns - start_ns) // width_ns > MAX_WINDOWS:
        return ()
    return (*range(start_ns, end_ns, width_ns), end_ns)


def parts_of(start_ns: int, end_ns: int, parts: int) -> tuple[int, ...]:
    """The edges of so many equal windows.

    >>> parts_of(0, 7, 2), parts_of(5, 5, 2)
    ((0, 3, 7), ())
    """
    if end_ns <= start_ns:
        return ()
    return tuple(start_ns + (end_ns - start_ns) * number // parts for number in range(parts + 1))
