"""How many bytes of single events go out in a second, and whose: a flood of one kind must not hide the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from kubectl_podtrace.wire.records import Event

EVENT_BYTES_PER_S: Final = 16 * 1024
OPERATION_BYTES_PER_S: Final = EVENT_BYTES_PER_S // 4
"""A quarter of the room, whatever room there is; so are the parts below shares of it."""

FIRST_PID: Final = 1
SIGKILL: Final = 9


class Rank(IntEnum):
    """What an event is to a reader; later ones keep room that earlier ones cannot take."""

    DETAIL = 0  # a slow or failed operation on a file or socket
    CHANGE = 1  # a connection or process that came or went
    FAILURE = 2  # a connection or program that failed, a process that ended badly
    END = 3  # the end of a container's first process, or of one that was killed: what explains a restart


BYTES_UP_TO_RANK: Final[Mapping[Rank, int]] = {
    Rank.DETAIL: EVENT_BYTES_PER_S // 2,
    Rank.CHANGE: EVENT_BYTES_PER_S * 5 // 8,
    Rank.FAILURE: EVENT_BYTES_PER_S * 7 // 8,
    Rank.END: EVENT_BYTES_PER_S,
}


class EventRoom:
    """One second's room. An operation's failures are a kind of their own; no kind gets more than a quarter of it."""

    def __init__(self) -> None:
        self._share = 1.0
        self._of_kind: Counter[tuple[str, Rank]] = Counter()
        self._of_rank: Counter[Rank] = Counter()

    def has_place(self, event: Event) -> bool:
        """May this event go out? The last one of a kind may be longer than what is left."""
        rank = rank_of(event)
        if self._of_kind[event.operation, rank] >= OPERATION_BYTES_PER_S * self._share:
            return False
        return all(
            sum(self._of_rank[below] for below in Rank if below <= limited) < BYTES_UP_TO_RANK[limited] * self._share
            for limited in Rank
            if limited >= rank
        )

    def take(self, event: Event, size: int) -> None:
        """An event went out, with so many bytes."""
        rank = rank_of(event)
        self._of_kind[event.operation, rank] += size
        self._of_rank[rank] += size

    def clear(self, room: int = EVENT_BYTES_PER_S) -> None:
        """The next second begins, with so many bytes of room."""
        self._share = room / EVENT_BYTES_PER_S
        self._of_kind.clear()
        self._of_rank.clear()


def rank_of(event: Event) -> Rank:
    """An event's rank by its topic and outcome."""
    if event.operation == "memory.oom_kill":
        return Rank.END
    if event.operation == "processes.exit" and (event.pid == FIRST_PID or event.signal == SIGKILL):
        return Rank.END
    if event.operation.partition(".")[0] not in {"connections", "processes"}:
        return Rank.DETAIL
    ended_badly = event.operation == "processes.exit" and event.result != 0
    if event.errno or event.signal or ended_badly or event.operation == "connections.failure":
        return Rank.FAILURE
    return Rank.CHANGE
