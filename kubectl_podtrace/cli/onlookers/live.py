"""The running trace on a terminal: makes a picture of each heartbeat, and keeps others from writing on the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from kubectl_podtrace.cli.onlookers import Moment
from kubectl_podtrace.cli.progress import Progress
from kubectl_podtrace.screen.picture import Recorder
from kubectl_podtrace.screen.screen import Screen
from kubectl_podtrace.screen.view import View
from kubectl_podtrace.wire.records import Event


class LiveScreen:
    """An `Onlooker` that draws. Remarks are shown on the screen, and said again when it has gone."""

    def __init__(
        self, *, out: TextIO, keyboard: TextIO, color: bool, every_event: bool, progress: Progress,
        was_stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._screen = Screen(out=out, keyboard=keyboard, color=color, view=View(every_event=every_event))
        self._recorder = Recorder()
        self._progress = progress
        self._was_stopped = was_stopped
        self._shown_ns = 0
        self._state = "before"

    def see(self, event: Event) -> None:
        """See `Onlooker`."""
        self._recorder.see(event)

    def look(self, moment: Moment) -> None:
        """See `Onlooker`."""
        if moment.at_ns == self._shown_ns or self._state == "over":
            return
        self._shown_ns = moment.at_ns
        if self._state == "before":
            self._progress.hold(self._recorder.note)
            self._screen.open()
            self._state = "open"
        elif self._screen.failure:
            self.end()
            self._progress.notice(f"the live view has failed ({self._screen.failure}); the trace goes on")
            return
        fold = moment.fold
        suppressed = fold.heartbeat.suppressed if fold.heartbeat else ()
        self._screen.show(
            self._recorder.picture(
                moment.live(),
                at_ns=moment.at_ns,
                scopes=moment.traced().scopes,
                kept_back=sum(row.count for row in suppressed),
                realtime_offset_ns=fold.header.realtime_offset_ns if fold.header else 0,
                is_finishing=self._was_stopped(),
            )
        )

    def end(self) -> None:
        """See `Onlooker`."""
        if self._state == "open":
            self._screen.close()
            self._progress.release()
        self._state = "over"
