"""A terminal to run a program on: a pseudo-terminal, and what it would show, by a terminal emulator (pyte)."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Final

import pyte

PATIENCE_S: Final = 30.0


class Terminal:
    """Runs a command as the leader of a session on a terminal of its own."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, columns: int, rows: int) -> None:
        self._ours, theirs = pty.openpty()
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        """Everything that was written on it."""
        self._set_size(columns, rows)
        self.settings = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            # A session's terminal is the one from which Ctrl+C becomes a signal.
            ["setsid", "--ctty", "--wait", *command],
            stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment),
        )  # fmt: skip
        self._theirs = theirs

    @property
    def shown(self) -> list[str]:
        """The lines that are on it now."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def settings_now(self) -> list[object]:
        """How it handles what is typed."""
        return termios.tcgetattr(self._theirs)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Become larger or smaller, as by a mouse."""
        self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    def wait_for(self, text: str, *, gone: bool = False, lines: slice = slice(None)) -> list[str]:
        """Until a text is shown in some of the lines, or is no longer; all lines then."""
        patience = time.monotonic() + PATIENCE_S
        while (text in "\n".join(self.shown[lines])) is gone:
            assert self._read(patience - time.monotonic()), (text, self.shown)
        return self.shown

    def wait(self) -> int:
        """Until the command has ended; its exit code."""
        patience = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            self._read(min(patience - time.monotonic(), 0.05))
            assert time.monotonic() < patience, self.shown
        while self._read(0):
            pass
        return self.process.returncode

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self, patience_s: float) -> bool:
        if not select.select([self._ours], [], [], max(patience_s, 0))[0]:
            return False
        data = os.read(self._ours, 65_536)
        self.raw += data
        self._stream.feed(data)
        return True

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
