"""The running trace where stdout is no terminal to draw on: a block of plain text every few seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TextIO

from kubectl_podtrace.cli.onlookers import Moment
from kubectl_podtrace.report.model import LiveReport
from kubectl_podtrace.report.render.live import LiveRenderer
from kubectl_podtrace.report.sections.events import is_notable
from kubectl_podtrace.report.writer import page_of
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.records import Event

WINDOW_S: Final = 5
NOTABLE: Final = 10
EVERY: Final = 100
"""So many single events a block shows."""


class Blocks:
    """Writes a block for each window that has passed by the tracer's clock: its numbers have all arrived then."""

    def __init__(self, out: TextIO, *, every_event: bool) -> None:
        self._out = out
        self._every_event = every_event
        self._events: list[Event] = []
        self._shown = 0

    def see(self, event: Event) -> None:
        """See `Onlooker`."""
        if self._every_event or is_notable(event):
            self._events.append(event)

    def look(self, moment: Moment) -> None:
        """See `Onlooker`."""
        passed = moment.age_ns // (WINDOW_S * SECOND_NS)
        if passed <= self._shown:
            return
        self._shown = passed
        page = page_of(self._out)
        LiveRenderer(width=page.width, color=page.color).render(self._with_events(moment), self._out)
        self._out.flush()

    def end(self) -> None:
        """See `Onlooker`."""

    def _with_events(self, moment: Moment) -> LiveReport:
        """The events since the last block, as many as fit, in the order in which they came."""
        scopes, header = moment.traced().scopes, moment.fold.header
        seen = [event for event in self._events if scopes is None or event.scope in scopes]
        self._events = []
        most = EVERY if self._every_event else NOTABLE
        return replace(
            moment.live(),
            events=tuple(seen[:most]),
            events_left_out=max(len(seen) - most, 0),
            realtime_offset_ns=header.realtime_offset_ns if header else 0,
        )
