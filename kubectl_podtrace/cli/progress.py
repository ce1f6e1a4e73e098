"""Says on stderr how a run goes: one line that is rewritten on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Final, Self, TextIO

from kubectl_podtrace import units
from kubectl_podtrace.units import SECOND_NS

_ERASE_LINE: Final = "\r\x1b[K"
_BAR: Final = 24
_BAR_FROM_COLUMNS: Final = 60
_USUAL_COLUMNS: Final = 80


class Loudness(Enum):
    """How much is said: nothing but errors; steps and remarks; how long each step took, too."""

    QUIET = "quiet"
    USUAL = "usual"
    VERBOSE = "verbose"


def printable(text: str) -> str:
    """Lines in which nothing can move a terminal's cursor: they may hold names that a container or a server chose."""
    from kubectl_podtrace.report.text import plain

    return "\n".join(plain(line) for line in text.splitlines())


def on_stderr(loudness: Loudness) -> Progress:
    """The progress of this process."""
    return Progress(out=sys.stderr, clock=time.monotonic_ns, loudness=loudness)


class Progress:
    """What the user sees of a run before its report. `clock` is monotonic, in nanoseconds.

    As a context manager it takes its line away at the end, so that what comes next stands by itself.
    """

    def __init__(self, *, out: TextIO, clock: Callable[[], int], loudness: Loudness = Loudness.USUAL) -> None:
        self._out = out
        self._clock = clock
        self._loudness = loudness
        self._on_terminal = out.isatty()
        self._text = ""
        self._shown = ""
        self._is_resting = False
        self._began_ns = 0
        self._duration_ns = 0
        self._remark_to: Callable[[str], None] | None = None
        self._remarks: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish()

    def step(self, text: str, *, duration_ns: int = 0) -> None:
        """A step was reached; one of known length counts down. The same words again are no new step."""
        if text == self._text:
            return
        self._conclude()
        self._is_resting = False
        self._text, self._began_ns, self._duration_ns = text, self._clock(), duration_ns
        if self._on_terminal:
            self.tick()
        else:
            self._say(text)

    def tick(self, counters: str = "") -> None:
        """Time has passed: rewrite the line if it reads differently now. `counters` stand behind the time left."""
        if not self._on_terminal or not self._text or self._is_silent or self._is_resting:
            return
        columns = self._columns()
        line = printable(f"{self._text}{self._time_left(columns)}{f'  {counters}' if counters else ' ...'}")
        # A line that wraps could not be rewritten.
        line = line[: columns - 1]
        if line != self._shown:
            self._shown = line
            self._out.write(_ERASE_LINE + line)
            self._out.flush()

    def notice(self, text: str) -> None:
        """A remark that stays."""
        if self._remark_to is not None:
            self._remark_to(text)
            self._remarks.append(text)
            return
        self.clear()
        self._say(f"note: {text}")
        self.tick()

    def hold(self, remark_to: Callable[[str], None]) -> None:
        """Write nothing more: the terminal is another one's, who is told of remarks in the meantime."""
        self.finish()
        self._remark_to = remark_to

    def release(self) -> None:
        """Write again, and first what was remarked meanwhile."""
        self._remark_to = None
        held, self._remarks = self._remarks, []
        for text in held:
            self.notice(text)

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        if self._shown:
            self._out.write(_ERASE_LINE)
            self._out.flush()
        self._shown = ""

    def rest(self) -> None:
        """Take the line away until the next step, while this one goes on: others write on the terminal."""
        self.clear()
        self._is_resting = True

    def finish(self) -> None:
        """No more steps: take the line away for good."""
        self.clear()
        self._conclude()
        self._text = ""

    @property
    def _is_silent(self) -> bool:
        return self._loudness is Loudness.QUIET or self._remark_to is not None

    def _conclude(self) -> None:
        """A step has ended."""
        if self._text and self._loudness is Loudness.VERBOSE and self._remark_to is None:
            self.clear()
            self._say(f"{self._text}: took {units.duration(self._clock() - self._began_ns)}")

    def _say(self, text: str) -> None:
        if not self._is_silent:
            self._out.write(f"{printable(text)}\n")
            self._out.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or _USUAL_COLUMNS
        except (OSError, ValueError):
            return _USUAL_COLUMNS

    def _time_left(self, columns: int) -> str:
        if not self._duration_ns:
            return ""
        passed_ns = self._clock() - self._began_ns
        left_s = max(math.ceil((self._duration_ns - passed_ns) / SECOND_NS), 0)
        text = f", {left_s} s left" if left_s else ", finishing"
        if columns < _BAR_FROM_COLUMNS or (self._out.encoding or "utf-8").lower().replace("-", "") != "utf8":
            return text
        full = min(passed_ns * _BAR // self._duration_ns, _BAR)
        return f" {'━' * full}{'─' * (_BAR - full)}{text}"
