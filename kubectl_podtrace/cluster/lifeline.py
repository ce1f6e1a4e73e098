"""The lifeline to a tracer: its stdin, over which it hears that somebody still wants the trace, and when to end it.

Attached to stdin alone: an attached stdout would hold the tracer back. A break does not harm: a container whose
`stdinOnce` is false keeps its stdin, and the next attachment goes on where the last one was (docs/reliability.md).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from kubectl_podtrace.cluster.websocket import WebSocketBrokenError
from kubectl_podtrace.errors import PermissionDeniedError, PodtraceError
from kubectl_podtrace.wire.request import PING_LINE


class Stdin(Protocol):
    """An attachment to a container's stdin."""

    def send(self, data: bytes, *, within_s: float) -> None:
        """Send bytes. Raises `WebSocketBrokenError`."""

    def is_heard(self, *, within_s: float) -> bool:
        """Whether the other side has shown within this time that all before has reached it."""

    def close(self) -> None:
        """Give it up."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Times in seconds. A peer that did not answer in `answer_s` twice in a row is taken for lost.

    `stop_within_s` is what a tracer that was told to stop has for its last line.
    """

    ping_s: float = 2.0
    answer_s: float = 1.0
    first_pause_s: float = 0.25
    longest_pause_s: float = 5.0
    open_within_s: float = 5.0
    stop_within_s: float = 10.0
    leave_within_s: float = 2.0


USUAL_PACE: Final = Pace()


@dataclass(frozen=True, kw_only=True)
class _Order:
    """A line to be sent, and where to answer whether it was delivered."""

    line: bytes
    delivered: queue.SimpleQueue[bool]


_UNANSWERED: Final = 2


class Lifeline:
    """Keeps one tracer's stdin attached and pings it, from a thread of its own, until it is closed.

    `attach` makes an attachment; a `PermissionDeniedError` of it is final, after any other error it is tried again.
    """

    def __init__(self, attach: Callable[[], Stdin], pace: Pace = USUAL_PACE) -> None:
        self._attach = attach
        self._pace = pace
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="podtrace-lifeline", daemon=True)
        self._stdin: Stdin | None = None
        self._unanswered = 0
        self._answers = False
        self._pause_s = pace.first_pause_s
        self._due = 0.0
        self._is_over = False

    def start(self) -> None:
        """Begin to attach, and wait for nothing."""
        self._thread.start()

    def open(self, is_pointless: Callable[[], bool]) -> str:
        """Attach for the first time; nothing, or why that is not possible. It is tried on all the same.

        Asked after each failure, `is_pointless` ends the wait: there may be nothing to attach to any more.
        """
        self.start()
        give_up = time.monotonic() + self._pace.open_within_s
        why = ""
        while (left := give_up - time.monotonic()) > 0:
            try:
                why = self._outcomes.get(timeout=left)
            except queue.Empty:
                break
            if not why or self._is_over or is_pointless():
                return why
        return why or "no answer in time"

    def tell(self, line: bytes, *, within_s: float) -> bool:
        """Send a line; whether it was delivered in this time."""
        if self._is_over or not self._thread.is_alive():
            return False
        order = _Order(line=line, delivered=queue.SimpleQueue())
        self._orders.put(order)
        try:
            return order.delivered.get(timeout=within_s)
        except queue.Empty:
            return False

    def close(self) -> None:
        """Let go of the tracer. May be called twice, and without `open`."""
        self._orders.put(None)
        if self._thread.is_alive():
            self._thread.join(self._pace.leave_within_s)

    def _run(self) -> None:
        try:
            while True:
                order = self._next_order()
                if order is None:
                    return
                if isinstance(order, _Order):
                    self._connect()
                    order.delivered.put(self._send(order.line))
                else:
                    self._turn()
        finally:
            self._drop()

    def _next_order(self) -> _Order | bool | None:
        """The next order, None for the one to leave; True when it is time for a turn."""
        try:
            left = None if self._is_over else max(self._due - time.monotonic(), 0)
            return self._orders.get(timeout=left)
        except queue.Empty:
            return True

    def _turn(self) -> None:
        """What is to be done now and then: a ping, or another attempt to attach."""
        self._connect()
        self._send(PING_LINE)
        if self._stdin is None:
            self._due = time.monotonic() + self._pause_s
            self._pause_s = min(self._pause_s * 2, self._pace.longest_pause_s)
            return
        self._due = time.monotonic() + self._pace.ping_s
        self._pause_s = self._pace.first_pause_s
        self._outcomes.put("")

    def _connect(self) -> None:
        if self._stdin is not None or self._is_over:
            return
        try:
            self._stdin = self._attach()
        except PodtraceError as error:
            self._is_over = isinstance(error, PermissionDeniedError)
            self._outcomes.put(error.message)
            return
        self._unanswered, self._answers = 0, False

    def _send(self, line: bytes) -> bool:
        """Send a line, and see that it has arrived; gives the attachment up when it is broken or deaf."""
        if self._stdin is None:
            return False
        try:
            self._stdin.send(line, within_s=self._pace.answer_s)
            heard = self._stdin.is_heard(within_s=self._pace.answer_s)
        except WebSocketBrokenError as error:
            self._outcomes.put(f"the connection broke: {error}")
            self._drop()
            return False
        self._answers = self._answers or heard
        self._unanswered = 0 if heard else self._unanswered + 1
        if self._answers and self._unanswered >= _UNANSWERED:
            self._drop()
        # A peer that never answers may still pass on what it gets.
        return heard or not self._answers

    def _drop(self) -> None:
        if self._stdin is not None:
            self._stdin.close()
            self._stdin = None
