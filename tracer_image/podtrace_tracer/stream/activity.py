"""Readings of what happened so far, several a second: windows of a timeline can be shorter than the totals' second."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from typing import Final

from kubectl_podtrace.wire.activity_records import Activity, ActivityRow
from kubectl_podtrace.wire.topics import ATTEMPTS, OPERATIONS, TRANSFERS, event_operations
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.programs.program import ORDERED_OPERATIONS

ROWS_PER_LINE: Final = 7
"""Rows of a dozen readings each, of the largest numbers that there are."""

READING_NS: Final = 100_000_000
_READINGS_PER_S: Final = 10

_Sums = tuple[int, int, int, int]
_NOTHING: Final[_Sums] = (0, 0, 0, 0)


def turns_between(scopes: int, cpus: int) -> int:
    """How many turns of a tenth of a second lie between two readings, so that they take some per cent of a CPU at most.

    >>> turns_between(2, 16), turns_between(3, 16), turns_between(2, 64), turns_between(5, 8), turns_between(63, 8)
    (1, 1, 2, 2, 10)
    """
    return min(max(1, -(-scopes * (24 + cpus) // 120)), _READINGS_PER_S)


class ActivityReader:
    """Adds the programs' counters up, for each scope, at moments; `lines` tells of those since it told last."""

    def __init__(
        self,
        programs: Programs,
        topics: Collection[str],
        *,
        cpus: int,
        started_ns: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._programs = programs
        self._cpus = cpus
        self._clock = clock
        self._layout = programs.value_layout("totals")
        self._events = event_operations(topics)
        followed = self._events | ATTEMPTS | TRANSFERS
        self._operations = [
            (index, operation.full_name)
            for index, operation in enumerate(ORDERED_OPERATIONS)
            if operation.full_name in followed
        ]
        self._interval_ns = READING_NS
        self._turn = 0
        self._times = [started_ns]
        self._readings: list[dict[int, _Sums]] = [{}]

    def turn(self, turn: int, scopes: Collection[int], *, is_young: bool) -> None:
        """One of ten turns of a second: reads if it is time to."""
        each = turns_between(len(scopes), self._cpus) if is_young else _READINGS_PER_S
        self._interval_ns = each * READING_NS
        if turn // each > self._turn // each:
            self.read(scopes)
        self._turn = turn

    def read(self, scopes: Collection[int], at_ns: int | None = None) -> None:
        """Reads now; with a moment at which all counting ended, of that moment."""
        at_ns = at_ns or self._clock()
        if at_ns > self._times[-1]:
            self._times.append(at_ns)
            self._readings.append({scope: self._sums(scope) for scope in scopes})

    def lines(self) -> Iterator[Activity]:
        """The readings since the last call, or the fact that nothing changed."""
        first, last = self._readings[0], self._readings[-1]
        changed = [scope for scope, sums in last.items() if sums != first.get(scope, _NOTHING)]
        rows = [self._row(scope) for scope in changed]
        times = tuple(self._times)
        if not rows:
            yield self._record((*times[:1], *times[1:][-1:]), [])
        for start in range(0, len(rows), ROWS_PER_LINE):
            yield self._record(times, rows[start : start + ROWS_PER_LINE])
        self._times, self._readings = self._times[-1:], self._readings[-1:]

    def _record(self, times: tuple[int, ...], rows: list[ActivityRow]) -> Activity:
        return Activity(interval_ns=self._interval_ns, times=times, rows=tuple(rows))

    def _row(self, scope: int) -> ActivityRow:
        """A scope that was not known at a reading had done nothing by then."""
        events, attempts, transfers, sizes = zip(
            *(reading.get(scope, _NOTHING) for reading in self._readings), strict=True
        )
        return ActivityRow(scope=scope, events=events, attempts=attempts, transfers=transfers, bytes=sizes)

    def _sums(self, scope: int) -> _Sums:
        events = attempts = transfers = sizes = 0
        for index, name in self._operations:
            values = self._programs.values("totals", scope * len(OPERATIONS) + index)
            count = sum(self._layout.unsigned("count", value) for value in values or ())
            if name in self._events:
                events += count
            if name in ATTEMPTS:
                attempts += count
            elif name in TRANSFERS:
                transfers += count
                sizes += sum(self._layout.unsigned("bytes", value) for value in values or ())
        return events, attempts, transfers, sizes
