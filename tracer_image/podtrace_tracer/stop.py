"""The orders to finish: SIGTERM, SIGINT, a line on stdin, or the end of a stdin that something was read from."""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType

from kubectl_podtrace.wire.request import STOP_LINE


class Stop:
    """Knows whether to finish, and waits for it no longer than it is told."""

    def __init__(self, stdin: int = 0) -> None:
        self._stdin: int | None = stdin
        self._buffer = b""
        self._was_read = False
        self.reason = ""
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def listen(self) -> None:
        """From now on signals are orders to finish."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def linger(self, seconds: float) -> None:
        """A pod that is being deleted takes its log with it: the reader gets this long for the last lines."""
        if self.reason == signal.SIGTERM.name:
            time.sleep(seconds)

    def wait(self, seconds: float) -> None:
        """Returns after this time or when an order came."""
        watched = [self._wake_read, *([self._stdin] if self._stdin is not None else [])]
        ready, _, _ = select.select(watched, [], [], max(seconds, 0))
        if self._wake_read in ready:
            os.read(self._wake_read, 64)
        if self._stdin in ready:
            self._read()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.reason = self.reason or signal.Signals(number).name

    def _read(self) -> None:
        assert self._stdin is not None  # only watched descriptors are ready
        try:
            data = os.read(self._stdin, 4096)
        except OSError:
            data = b""
        if not data:
            # A container without an attached client has an empty stdin from the start: that is no order.
            self._stdin = None
            if self._was_read:
                self.reason = self.reason or "client gone"
            return
        self._was_read = True
        self._buffer = (self._buffer + data)[-4096:]
        if STOP_LINE in self._buffer:
            self.reason = self.reason or "stopped"
