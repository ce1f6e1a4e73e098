"""Ends of processes that say something about their container: of its first process, and of those that were killed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.wire.lifecycle_records import OOM
from kubectl_podtrace.wire.records import Event

SIGKILL: Final = 9
CAPACITY: Final = 1_000
_FIRST_PID: Final = 1


@dataclass(frozen=True, kw_only=True)
class ProcessEnd:
    """A process that ended at a time (monotonic); `code` or, where it is not 0, `signal` says how.

    `for_memory`: the kernel killed it, so that there was memory again.
    """

    scope: int
    at_ns: int
    pid: int
    comm: str
    code: int
    signal: int
    for_memory: bool = False

    @property
    def is_first(self) -> bool:
        """Whether it was its container's first process, with which the container ends."""
        return self.pid == _FIRST_PID


class Ends:
    """Collects them from single events, in bounded memory."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._found: list[ProcessEnd] = []
        self.left_out = 0
        """How many found no place."""

    @property
    def found(self) -> tuple[ProcessEnd, ...]:
        """Those known by now, in the order of their arrival."""
        return tuple(self._found)

    def add(self, event: Event) -> None:
        """Takes in an event of whatever kind."""
        if event.operation != "processes.exit" or not (event.pid == _FIRST_PID or event.signal == SIGKILL):
            return
        if len(self._found) >= self._capacity:
            self.left_out += 1
            return
        self._found.append(
            ProcessEnd(
                scope=event.scope,
                at_ns=event.start_ns + event.duration_ns,
                pid=event.pid,
                comm=event.comm,
                code=max(event.result, 0),
                signal=event.signal,
                for_memory=event.name == OOM,
            )
        )
