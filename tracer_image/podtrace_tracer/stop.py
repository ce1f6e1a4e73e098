"""The reasons to finish: SIGTERM, SIGINT, a line on stdin, the end of a stdin that was read, a lease that ran out."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from kubectl_podtrace.wire.request import ACK_LINE, CLIENT_GONE, PING_LINE, STOP_LINE

_LONGEST_LINE: Final = 64
_LONGEST_WAIT_S: Final = 3600.0


class Stop:
    """Knows whether to finish, and waits for it no longer than it is told."""

    def __init__(self, stdin: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stdin: int | None = stdin
        self._clock = clock
        self._line = b""
        self._was_read = False
        self._was_pinged = False
        self._acknowledged = False
        self._lease_s = 0.0
        self._lease_end: float | None = None
        self.reason = ""
        self._watched: dict[int, Callable[[], None]] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def listen(self) -> None:
        """From now on signals are orders to finish."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def watch(self, descriptor: int, on_ready: Callable[[], None]) -> None:
        """Calls back, while waiting, whenever something can be read from a descriptor; it must then be read."""
        self._watched[descriptor] = on_ready

    def lend(self, lease_s: float, *, from_now: bool) -> None:
        """End so long after the last ping; 0 is never. The first ping starts it, or, `from_now`, this call."""
        self._lease_s = lease_s
        if from_now:
            self._renew()

    def wait(self, seconds: float) -> None:
        """Returns after this time, or when there is a reason to finish."""
        until = self._clock() + max(seconds, 0)
        while True:
            self._take(min(until, self._lease_end or until) - self._clock())
            # Only now: a ping may have waited for us longer than its lease.
            now = self._clock()
            if self._lease_end is not None and now >= self._lease_end:
                self.reason = self.reason or CLIENT_GONE
            if self.reason or now >= until:
                return

    def settle(self, *, acknowledged_within_s: float, linger_s: float) -> None:
        """After the last line: a client that was there says that it has it; else a deleted pod's log is left readable.

        A pod that is being deleted takes its log with it.
        """
        if self._was_pinged and self._stdin is not None and self.reason != CLIENT_GONE:
            until = self._clock() + acknowledged_within_s
            while self._may_be_acknowledged() and (left := until - self._clock()) > 0:
                self._take(left)
        elif self.reason == signal.SIGTERM.name:
            time.sleep(linger_s)

    def _may_be_acknowledged(self) -> bool:
        return self._stdin is not None and not self._acknowledged

    def _take(self, seconds: float) -> None:
        """What has come or comes within this time."""
        watched = [self._wake_read, *self._watched, *([] if self._stdin is None else [self._stdin])]
        ready, _, _ = select.select(watched, [], [], min(max(seconds, 0), _LONGEST_WAIT_S))
        if self._wake_read in ready:
            os.read(self._wake_read, 64)
        if self._stdin in ready:
            self._read()
        for descriptor, on_ready in self._watched.items():
            if descriptor in ready:
                on_ready()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.reason = self.reason or signal.Signals(number).name

    def _read(self) -> None:
        assert self._stdin is not None  # only watched descriptors are ready
        try:
            data = os.read(self._stdin, 4096)
        except OSError:
            data = b""
        if not data:
            # A container without an attached client has an empty stdin from the start: that is no order. Where there
            # is a lease it decides: a runtime may end a stdin when the connection to it breaks.
            self._stdin = None
            if self._was_read and not self._lease_s:
                self.reason = self.reason or CLIENT_GONE
            return
        self._was_read = True
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[-_LONGEST_LINE:]
        for line in lines:
            self._obey(line + b"\n")

    def _obey(self, line: bytes) -> None:
        if line == PING_LINE:
            self._was_pinged = True
            self._renew()
        elif line == STOP_LINE:
            self.reason = self.reason or "stopped"
        elif line == ACK_LINE:
            self._acknowledged = True

    def _renew(self) -> None:
        if self._lease_s:
            self._lease_end = self._clock() + self._lease_s
