"""Says on stderr how a run goes: one line that is rewritten on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TextIO

from kubectl_podtrace.units import SECOND_NS

_ERASE_LINE: Final = "\r\x1b[K"


def printable(text: str) -> str:
    """Lines in which nothing can move a terminal's cursor: they may hold names that a container or a server chose."""
    from kubectl_podtrace.report.text import plain

    return "\n".join(plain(line) for line in text.splitlines())


class Progress:
    """What the user sees of a run before its report. `clock` is monotonic, in nanoseconds."""

    def __init__(self, *, out: TextIO, clock: Callable[[], int]) -> None:
        self._out = out
        self._clock = clock
        self._on_terminal = out.isatty()
        self._text = ""
        self._shown = ""
        self._ends_ns: int | None = None

    def step(self, text: str, *, duration_ns: int = 0) -> None:
        """A step was reached; one of known length counts down."""
        self._ends_ns = self._clock() + duration_ns if duration_ns else None
        self._text = text
        if self._on_terminal:
            self.tick()
        else:
            self._out.write(f"{printable(text)}\n")
            self._out.flush()

    def tick(self) -> None:
        """Time has passed: rewrite the line if it reads differently now."""
        if not self._on_terminal or not self._text:
            return
        line = f"{printable(self._text)}{self._time_left()} ..."
        if line != self._shown:
            self._shown = line
            self._out.write(_ERASE_LINE + line)
            self._out.flush()

    def notice(self, text: str) -> None:
        """A remark that stays."""
        self.clear()
        self._out.write(f"note: {printable(text)}\n")
        self._out.flush()
        self.tick()

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        if self._shown:
            self._out.write(_ERASE_LINE)
            self._out.flush()
        self._shown = ""

    def finish(self) -> None:
        """No more steps: take the line away for good."""
        self.clear()
        self._text = ""

    def _time_left(self) -> str:
        if self._ends_ns is None:
            return ""
        left_s = max(math.ceil((self._ends_ns - self._clock()) / SECOND_NS), 0)
        return f", {left_s} s left" if left_s else ", finishing"
