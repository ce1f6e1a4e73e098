"""Follows a tracer pod's log: bytes to whole lines, across cuts, silence and reconnects.

A log stream's end says nothing about its completeness: a rotation, a proxy's idle limit or a lost kubelet end it in the
same way as the tracer's exit. So only the tracer's own last line, or its end as the API tells it, ends the following.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from enum import Enum
from typing import Final, Protocol

from kubectl_podtrace.cluster.transport import StreamBrokenError
from kubectl_podtrace.errors import PodtraceError
from kubectl_podtrace.source import LineSplitter
from kubectl_podtrace.wire.fields import MAX_LINE

SILENCE_S: Final = 5.0
"""A tracer says something each second; this much silence means that the stream is dead."""

_GIVE_UP_AFTER_S: Final = 120.0
"""Long enough for an API server's restart."""
_END_WITHIN_S: Final = 20.0
"""So long a tracer that has ended is asked for its last lines, while its node does not answer."""
_FIRST_LINE_WITHIN_S: Final = 30.0
"""A tracer's first words come before it has done anything: what is silent for so long is none."""
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_TIMESTAMP: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d) ")
_TIMESTAMP_ROOM: Final = 64


class Stream(Protocol):
    """Bytes as they come: see `ByteStream`."""

    def read(self) -> bytes:
        """At least one byte, or none at the end."""

    def close(self) -> None:
        """Give it up."""


class Clock(Protocol):
    """Time, handed in."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""

    def pause(self, seconds: float) -> None:
        """Wait."""


OpenLog = Callable[[str | None, bool], Stream | None]
"""Opens the log `(since, follow)`; None when there is none, or none yet."""


class Life(Enum):
    """What the API tells of a tracer."""

    RUNNING = "running"
    ENDED = "ended"
    """Its log can still be read."""
    GONE = "gone"


class LogFollower:
    """Yields the lines of one container's log from its start to its end, reconnecting in between.

    After a reconnect the log is asked for from the second of the last line on, so that nothing is missing and some
    lines come twice. `is_last` knows the tracer's last line, `life` asks how the tracer is; a `PodtraceError` of it, or
    of `open_log`, means that nobody answered.
    """

    def __init__(
        self,
        *,
        open_log: OpenLog,
        is_last: Callable[[bytes], bool],
        life: Callable[[], Life],
        clock: Clock,
        notice: Callable[[str], None],
    ) -> None:
        self._open_log = open_log
        self._is_last = is_last
        self._ask_life = life
        self._clock = clock
        self._notice = notice
        self._since: str | None = None
        self._lines = 0
        self._complete = False

    def lines(self, first: Stream) -> Iterator[bytes]:
        """The lines of an open stream and of all that it takes after it."""
        yield from self._lines_of(first)
        fruitless, progress_at, from_start = 0, self._clock.monotonic(), False
        while not self._complete:
            life, since, lines = self._life(), self._since, self._lines
            if life is Life.GONE:
                return
            asked_since = None if from_start else since
            stream = self._reopen(asked_since, follow=life is Life.RUNNING)
            is_whole = stream is not None and (yield from self._lines_of(stream, keep_rest=life is Life.ENDED))
            # At least the last line should have come again. Where the node's clock was set back, its time is later than
            # that of all lines after it, and they come only to those who ask for everything.
            from_start = stream is not None and self._lines == lines
            if is_whole and life is Life.ENDED and not (from_start and asked_since):
                return
            # Lines come twice, so only another timestamp shows that the stream went on.
            if self._since != since:
                fruitless, progress_at = 0, self._clock.monotonic()
                continue
            if self._gives_up(life, self._clock.monotonic() - progress_at):
                return
            self._clock.pause(min(_FIRST_PAUSE_S * 2**fruitless, _LONGEST_PAUSE_S))
            fruitless += 1

    def _gives_up(self, life: Life, waited_s: float) -> bool:
        if self._since is None and waited_s > _FIRST_LINE_WITHIN_S - SILENCE_S:
            return True
        if waited_s <= (_END_WITHIN_S if life is Life.ENDED else _GIVE_UP_AFTER_S):
            return False
        self._notice("the tracer's log has stopped; the report ends where it did")
        return True

    def _lines_of(self, stream: Stream, *, keep_rest: bool = False) -> Generator[bytes, None, bool]:
        """Returns whether the stream came to an end of its own."""
        splitter = LineSplitter(_TIMESTAMP_ROOM + MAX_LINE + 1)
        try:
            while not self._complete:
                chunk = stream.read()
                if not chunk:
                    break
                for line in splitter.feed(chunk):
                    yield self._accept(line)
        except StreamBrokenError:
            # The cut may be inside a line: it comes again, whole, after the reconnect.
            return False
        finally:
            stream.close()
        rest = splitter.rest()
        if keep_rest and rest:
            yield self._accept(rest)
        return True

    def _accept(self, line: bytes) -> bytes:
        self._lines += 1
        found = _TIMESTAMP.match(line)
        if found is not None:
            self._since = (found[1] + found[2]).decode("ascii")
            line = line[found.end() :]
        if self._is_last(line):
            self._complete = True
        return line

    def _life(self) -> Life:
        try:
            return self._ask_life()
        except PodtraceError:
            return Life.RUNNING

    def _reopen(self, since: str | None, *, follow: bool) -> Stream | None:
        try:
            return self._open_log(since, follow)
        except PodtraceError:
            return None
