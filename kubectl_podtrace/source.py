"""Where a session's byte stream comes from: the one shape that cluster mode and local mode share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol


class LineSource(Protocol):
    """A running tracer's lines.

    Lines come whole, without their newline, undecoded; after a reconnect some come twice (sequence numbers tell).
    """

    def lines(self) -> Iterator[bytes]:
        """Start the tracer and yield its lines until it ends; raises `PodtraceError` when it cannot start."""

    def stop(self) -> None:
        """Ask the tracer to finish; its last lines still come. Returns at once and is safe in a signal handler."""

    def close(self) -> None:
        """Leave nothing running behind, whatever happened before; may be called twice."""


@dataclass(frozen=True, kw_only=True)
class Cleanup:
    """What became of a tracer pod in the end.

    `deleted` says that its deletion was accepted; `gone_after_ns` how long after it was asked for the API no longer had
    the pod, null when that was not seen.
    """

    namespace: str
    pod: str
    deleted: bool
    gone_after_ns: int | None


class LineSplitter:
    """Cuts chunks of bytes into lines at newlines, whatever the chunks' boundaries.

    Of a line beyond `limit` bytes the first `limit` are kept, so that no peer can fill the memory.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pending = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without their newlines."""
        *ends, rest = chunk.split(b"\n")
        lines = []
        for end in ends:
            self._keep(end)
            lines.append(bytes(self._pending))
            self._pending.clear()
        self._keep(rest)
        return lines

    def rest(self) -> bytes:
        """What came after the last newline; forgotten with this call."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest

    def _keep(self, part: bytes) -> None:
        self._pending += part[: self._limit - len(self._pending)]


class Stoppable(Protocol):
    """What a signal stops."""

    def stop(self) -> None:
        """As `LineSource.stop`."""


@contextmanager
def stopping_on_signals(source: Stoppable) -> Iterator[None]:
    """Within the block the first SIGINT, SIGTERM or SIGHUP stops the source, the second one raises KeyboardInterrupt.

    Further ones ask the source to stop again, and do not disturb the clean-up. An ignored SIGHUP (nohup) stays so.
    Only in the main thread. The handlers that were there before are put back.
    """
    received: list[int] = []

    def handle(signal_number: int, _frame: FrameType | None) -> None:
        received.append(signal_number)
        if len(received) == 2:
            raise KeyboardInterrupt
        source.stop()

    handled = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handled.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
