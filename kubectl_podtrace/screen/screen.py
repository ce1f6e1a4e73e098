"""Draws pictures on a terminal in a thread of its own, so that keys are answered at once however the stream comes."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from threading import Thread, main_thread
from typing import TYPE_CHECKING, Final, TextIO

from kubectl_podtrace.report.render.terminal import console_for, styled
from kubectl_podtrace.screen.frame import compose
from kubectl_podtrace.screen.keyboard import keys_in, single_keys
from kubectl_podtrace.screen.picture import Picture
from kubectl_podtrace.screen.view import View, pressed

if TYPE_CHECKING:
    from rich.live import Live

_HELD_PAUSE_S: Final = 1.0
"""A picture that is held says how old it is."""
_MOST_KEYS_BYTES: Final = 1024


def can_draw(out: TextIO, *, environment: Mapping[str, str] | None = None) -> bool:
    """Whether a stream is a terminal on which anything can be drawn."""
    terminal = (os.environ if environment is None else environment).get("TERM", "")
    return out.isatty() and terminal not in {"", "dumb"} and (out.encoding or "").lower().replace("-", "") == "utf8"


class Screen:
    """One terminal, from `open` to `close`. q interrupts the main thread as Ctrl+C does, once.

    What goes wrong while drawing ends the drawing and never the trace; `failure` then says why.
    """

    def __init__(self, *, out: TextIO, keyboard: TextIO, view: View, color: bool) -> None:
        self._out = out
        self._keyboard = keyboard
        self._view = view
        self._color = color
        self._newest: Picture | None = None
        self._held: Picture | None = None
        self._held_since = 0.0
        self._is_open = False
        self._stack = ExitStack()
        self._thread = Thread(target=self._run, name="screen", daemon=True)
        self._wake_out = self._wake_in = -1
        self.failure = ""

    def open(self) -> None:
        """Take the terminal over. Only in the main thread; raises OSError where the terminal has gone."""
        from rich.live import Live

        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        self._stack.callback(os.close, self._wake_out)
        self._stack.callback(os.close, self._wake_in)
        before = signal.signal(signal.SIGWINCH, lambda _number, _frame: self._wake())
        self._stack.callback(signal.signal, signal.SIGWINCH, before)
        if self._keyboard.isatty():
            self._stack.enter_context(single_keys(self._keyboard.fileno()))
        console = console_for(self._out, color=self._color, width=None)
        live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live: Live = self._stack.enter_context(live)
        self._is_open = True
        self._thread.start()

    def show(self, picture: Picture) -> None:
        """Draw this one from now on."""
        self._newest = picture
        self._wake()

    def close(self) -> None:
        """Give the terminal back as it was; may be called twice."""
        if not self._is_open:
            return
        self._is_open = False
        self._wake()
        self._thread.join()
        with suppress(OSError):
            self._stack.close()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake_in, b"\0")

    def _run(self) -> None:
        try:
            while self._is_open:
                self._await()
                self._draw()
        except OSError as error:
            self.failure = error.strerror or "the terminal has gone"
        except Exception as error:  # noqa: BLE001  a trace is worth more than its picture
            self.failure = f"{type(error).__name__}: {error}"

    def _await(self) -> None:
        """Until there is something new to draw."""
        keyboard = [self._keyboard.fileno()] if self._keyboard.isatty() else []
        pause_s = _HELD_PAUSE_S if self._view.is_paused else None
        ready, _, _ = select.select([self._wake_out, *keyboard], [], [], pause_s)
        if self._wake_out in ready:
            os.read(self._wake_out, _MOST_KEYS_BYTES)
        if any(each in ready for each in keyboard):
            self._take(os.read(keyboard[0], _MOST_KEYS_BYTES))

    def _take(self, typed: bytes) -> None:
        if not typed:
            raise OSError(0, "the terminal has gone")
        for key in keys_in(typed.decode("utf-8", "replace")):
            before, self._view = self._view, pressed(self._view, key)
            if self._view.quits and not before.quits:
                signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
        if self._view.is_paused and self._held is None:
            self._held, self._held_since = self._newest, time.monotonic()
        elif not self._view.is_paused:
            self._held = None

    def _draw(self) -> None:
        from rich.console import Group

        picture = self._held or self._newest
        if picture is None or not self._is_open:
            return
        behind_s = time.monotonic() - self._held_since if self._held else 0.0
        width, height = self._live.console.size
        lines = compose(picture, self._view, width=width, height=height, behind_s=behind_s)
        self._live.update(Group(*map(styled, lines)), refresh=True)
