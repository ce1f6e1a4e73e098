"""How often tables and single events travel: the stream stays small however long the trace and large the tables.

A trace's first minutes are told in detail. Later, in a trace that nobody watches, tables that weigh much travel less
often; totals travel each second all the same, since bursts and patterns rest on them.
"""

from __future__ import annotations

from typing import Final

from podtrace_tracer.stream.event_room import EVENT_BYTES_PER_S

REFRESH_S: Final = 5
REPEAT_S: Final = 30
YOUNG_S: Final = 600
YOUNG_TABLE_BYTES_PER_S: Final = 20 * 1024
OLD_TABLE_BYTES_PER_S: Final = 384
"""For what changed, and as much again for the repetition of everything."""
OLD_EVENT_BYTES_PER_S: Final = 512


class Pace:
    """Asked each second what is due; told what it weighed. A trace that is `watched` stays young."""

    def __init__(self, *, watched: bool) -> None:
        self._watched = watched
        self._second = 0
        self._refresh_at = REFRESH_S
        self._repeat_at = REPEAT_S

    def reach(self, second: int) -> None:
        """So many seconds after the start of the trace; seconds may be missing."""
        self._second = second

    @property
    def is_young(self) -> bool:
        """Is everything that changed told at once?"""
        return self._watched or self._second < YOUNG_S

    @property
    def event_bytes(self) -> int:
        """The room for single events in a second."""
        return EVENT_BYTES_PER_S if self.is_young else OLD_EVENT_BYTES_PER_S

    @property
    def repeat_is_due(self) -> bool:
        """Is everything to travel now, changed or not?"""
        return self._second >= self._repeat_at

    @property
    def refresh_is_due(self) -> bool:
        """Are the tables to travel now, as far as they changed?"""
        return self._second >= self._refresh_at or self.repeat_is_due

    def refreshed(self, size: int) -> None:
        """The tables weighed so many bytes."""
        self._refresh_at = self._next(self._second, REFRESH_S, size)

    def repeated(self, size: int) -> None:
        """Everything weighed so many bytes."""
        self._refresh_at = self._next(self._second, REFRESH_S, 0)
        self._repeat_at = self._next(self._second, REPEAT_S, size)

    def _next(self, second: int, least_s: int, size: int) -> int:
        """A multiple of the shortest interval, so that what is due at the same time stays so."""
        rate = YOUNG_TABLE_BYTES_PER_S if self.is_young else OLD_TABLE_BYTES_PER_S
        return (second // least_s + max(1, -(-size // (rate * least_s)))) * least_s
