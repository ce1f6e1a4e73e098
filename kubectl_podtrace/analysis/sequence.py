"""Which lines of a stream are new, late, repeated or missing, told from their sequence numbers."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from typing import Final

FIRST_SEQUENCE: Final = 0
MAX_RANGES: Final = 1_000
"""So many runs of missing lines are kept apart; further ones are only counted."""


class Place(Enum):
    """Where a line stands: after all others, in a gap that it (partly) closes, or where a line already stood."""

    NEW = "new"
    LATE = "late"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Lines that did not arrive: how many, and the time of the newest line before them (monotonic)."""

    at_ns: int
    lines: int


@dataclass(kw_only=True)
class _Missing:
    first: int
    last: int
    at_ns: int


class Sequence:
    """Follows the numbers of one stream in bounded memory."""

    def __init__(self) -> None:
        self.next = FIRST_SEQUENCE
        self.newest_ns = 0
        self._missing: list[_Missing] = []
        self._untracked = 0
        self._untracked_at_ns = 0

    def place(self, seq: int, at_ns: int) -> Place:
        """Takes note of a line and says where it stands."""
        if self.next == FIRST_SEQUENCE:
            self.newest_ns = at_ns
        if seq < self.next:
            return self._close(seq)
        if seq > self.next:
            self._open(_Missing(first=self.next, last=seq - 1, at_ns=self.newest_ns))
        self.next = seq + 1
        self.newest_ns = max(self.newest_ns, at_ns)
        return Place.NEW

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is missing now, oldest first; lines that came late are no longer in it."""
        lines: dict[int, int] = {}
        for run in self._missing:
            lines[run.at_ns] = lines.get(run.at_ns, 0) + run.last - run.first + 1
        if self._untracked:
            lines[self._untracked_at_ns] = lines.get(self._untracked_at_ns, 0) + self._untracked
        return tuple(Gap(at_ns=at_ns, lines=number) for at_ns, number in sorted(lines.items()))

    def _open(self, run: _Missing) -> None:
        if len(self._missing) < MAX_RANGES:
            self._missing.append(run)
        else:
            self._leave_untracked(run)

    def _close(self, seq: int) -> Place:
        """A whole log may come again: what each of its lines costs must not grow with the gaps in it."""
        position = bisect_right(self._missing, seq, key=lambda run: run.first) - 1
        if position < 0 or seq > self._missing[position].last:
            return Place.DUPLICATE
        run = self._missing[position]
        before = _Missing(first=run.first, last=seq - 1, at_ns=run.at_ns)
        after = _Missing(first=seq + 1, last=run.last, at_ns=run.at_ns)
        rest = [part for part in (before, after) if part.first <= part.last]
        if len(rest) == 2 and len(self._missing) >= MAX_RANGES:
            self._leave_untracked(rest.pop(0))
        self._missing[position : position + 1] = rest
        return Place.LATE

    def _leave_untracked(self, run: _Missing) -> None:
        self._untracked_at_ns = self._untracked_at_ns or run.at_ns
        self._untracked += run.last - run.first + 1
