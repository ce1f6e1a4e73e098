"""One run: a source's lines into a fold, from the first to the last, and what it means when they end early."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.errors import InterruptedRunError, TracerRefusedError, TracerStartError
from kubectl_podtrace.source import LineSource
from kubectl_podtrace.wire.records import TRACER_FAILED


class Phase(Enum):
    """How far the tracer has come."""

    COMPILING = "compiling the probes"
    TRACING = "tracing"


class Session:
    """Feeds the fold; tells of each phase once, and of each line.

    `stop` is what a signal calls: the source's last lines still come, so there is a report.
    """

    def __init__(
        self,
        *,
        source: LineSource,
        fold: Fold,
        on_phase: Callable[[Phase], None],
        on_update: Callable[[], None],
    ) -> None:
        self._source = source
        self._fold = fold
        self._on_phase = on_phase
        self._on_update = on_update
        self.was_stopped = False

    def run(self) -> None:
        """Returns when there is something to report, complete or not; raises `PodtraceError` when there is nothing."""
        phase: Phase | None = None
        for line in self._source.lines():
            self._fold.feed(line)
            self._check_refusal()
            reached = self._phase()
            if reached is not phase and reached is not None:
                self._on_phase(reached)
            phase = reached
            self._on_update()
        if self._fold.started_ns == 0:
            raise self._nothing_to_report()

    def stop(self) -> None:
        """End the trace in good order; safe in a signal handler."""
        self.was_stopped = True
        self._source.stop()

    def _phase(self) -> Phase | None:
        if self._fold.header is None:
            return None
        return Phase.TRACING if self._fold.started_ns else Phase.COMPILING

    def _check_refusal(self) -> None:
        refusal = self._fold.refusal
        if refusal is not None:
            raise TracerRefusedError(refusal.text, refusal.hint or None)

    def _nothing_to_report(self) -> Exception:
        if self.was_stopped:
            return InterruptedRunError()
        failures = [notice.text for notice in self._fold.notices.values() if notice.slug == TRACER_FAILED]
        if failures:
            return TracerStartError(failures[-1], "please report this text with the kernel's release")
        if self._fold.header is not None:
            return TracerStartError("the tracer ended before its probes were attached")
        if self._fold.noise_lines:
            return TracerStartError(
                f"the tracer ended, and none of its {self._fold.lines} lines can be read",
                "is it a tracer of this version?",
            )
        return TracerStartError("the tracer said nothing", "is the image a tracer of this version?")
