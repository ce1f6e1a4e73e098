"""What looks at a trace while it runs: plain blocks, the screen, metrics. All of them see the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.report.model import LiveReport
from kubectl_podtrace.report.target import TracedContainers
from kubectl_podtrace.wire.records import Event


class Moment:
    """The running trace as it stands. Its report changes with each heartbeat, and is built when somebody asks."""

    def __init__(self, fold: Fold, build: Callable[[], LiveReport], traced: Callable[[], TracedContainers]) -> None:
        """`build` makes the report, `traced` tells of the containers that it is about; both of now."""
        self.fold = fold
        self.traced = traced
        self._build = build
        self._built: LiveReport | None = None
        self._built_ns = 0

    @property
    def at_ns(self) -> int:
        """The newest heartbeat by the tracer's clock (monotonic), 0 before the first one of a trace that has begun."""
        states = self.fold.states
        return states[-1].at_ns if states and self.fold.started_ns else 0

    @property
    def age_ns(self) -> int:
        """How long the trace had run at the newest heartbeat."""
        return max(self.at_ns - self.fold.started_ns, 0) if self.at_ns else 0

    def live(self) -> LiveReport:
        """The newest window beside the totals, as of the newest heartbeat."""
        if self._built is None or self._built_ns != self.at_ns:
            self._built, self._built_ns = self._build(), self.at_ns
        return self._built


class Onlooker(Protocol):
    """Is told what happens, in the thread that reads the stream: what it does there holds up the reading."""

    def see(self, event: Event) -> None:
        """A single event has come."""

    def look(self, moment: Moment) -> None:
        """A line has come."""

    def end(self) -> None:
        """No further line will come; also after a failure."""
