"""The running trace where stdout is no terminal to draw on: a block of plain text every few seconds."""

from __future__ import annotations

from typing import Final, TextIO

from kubectl_podtrace.cli.onlookers import Moment
from kubectl_podtrace.report.render.live import LiveRenderer
from kubectl_podtrace.report.writer import page_of
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.records import Event

WINDOW_S: Final = 5


class Blocks:
    """Writes a block for each window that has passed by the tracer's clock: its numbers have all arrived then."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown = 0

    def see(self, event: Event) -> None:
        """See `Onlooker`."""

    def look(self, moment: Moment) -> None:
        """See `Onlooker`."""
        passed = moment.age_ns // (WINDOW_S * SECOND_NS)
        if passed <= self._shown:
            return
        self._shown = passed
        page = page_of(self._out)
        LiveRenderer(width=page.width, color=page.color).render(moment.live(), self._out)
        self._out.flush()

    def end(self) -> None:
        """See `Onlooker`."""
