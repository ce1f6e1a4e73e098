"""What a stream tells of growth over time: by its readings or, where a tracer does not send them, by its totals."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from kubectl_podtrace.analysis.growth import GROUPS, READING_NS, Group, Growth, operations_of
from kubectl_podtrace.analysis.series import Series
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.activity_records import Activity, ActivityRow
from kubectl_podtrace.wire.records import TotalsRow
from kubectl_podtrace.wire.topics import EVENT_OPERATIONS

_FOLLOWED: Final = EVENT_OPERATIONS | {"cpu.switch"}


class ActivityBook:
    """The series of each scope: of groups of operations, else of each operation."""

    def __init__(self) -> None:
        self.broken = 0
        self._of_groups: dict[tuple[int, Group], Series] = {}
        self._of_operations: dict[tuple[int, str], Series] = {}
        self._before_ns = 0
        self._until_ns = 0
        self._interval_ns = READING_NS

    def add_total(self, row: TotalsRow, at_ns: int, *, started_ns: int, gap_ns: int) -> None:
        """A counter that changed in this second; `gap_ns` as in `Series.add`."""
        if self._until_ns or row.operation not in _FOLLOWED:
            return
        series = self._of_operations.setdefault((row.scope, row.operation), Series(started_ns))
        series.add(at_ns, row.count, row.bytes, gap_ns=gap_ns)

    def add_readings(self, record: Activity, *, started_ns: int) -> None:
        """A line of readings; several lines can hold those of one second."""
        times = record.times
        if not times or any(before >= after for before, after in pairwise(times)):
            self.broken += 1
            return
        self._interval_ns = max(self._interval_ns, min(record.interval_ns, SECOND_NS))
        if times[-1] > self._until_ns:
            self._before_ns, self._until_ns = self._until_ns or started_ns, times[-1]
        for row in record.rows:
            self._add_row(row, times, started_ns)

    def growth(self, group: Group, scopes: frozenset[int] | None, event_operations: frozenset[str]) -> Growth:
        """What is known of a group in some scopes (None: in all)."""

        def chosen(scope: int) -> bool:
            return scopes is None or scope in scopes

        if self._until_ns:
            found = [series for (scope, name), series in self._of_groups.items() if name == group and chosen(scope)]
            return Growth(series=tuple(found), resolution_ns=self._interval_ns, told_until_ns=self._until_ns)
        operations = operations_of(group, event_operations)
        found = [
            series for (scope, name), series in self._of_operations.items() if name in operations and chosen(scope)
        ]
        newest_ns = max((series.newest_ns for series in found), default=0)
        return Growth(series=tuple(found), resolution_ns=SECOND_NS, told_until_ns=newest_ns)

    def _add_row(self, row: ActivityRow, times: tuple[int, ...], started_ns: int) -> None:
        counts: dict[Group, tuple[int, ...]] = dict(zip(GROUPS, (row.events, row.attempts, row.transfers), strict=True))
        if any(len(numbers) != len(times) for numbers in (*counts.values(), row.bytes)):
            self.broken += 1
            return
        nothing = (0,) * len(times)
        for group, numbers in counts.items():
            series = self._of_groups.setdefault((row.scope, group), Series(started_ns))
            sizes = row.bytes if group == "network_io" else nothing
            # Where the line begins with other numbers than the one before it ended with, lines are missing between.
            series.add_grown(self._before_ns, times[0], numbers[0], sizes[0], is_told=False)
            for number, (since_ns, at_ns) in enumerate(pairwise(times), start=1):
                series.add_grown(since_ns, at_ns, numbers[number], sizes[number])
