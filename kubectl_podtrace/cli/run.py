"""One trace as its user meets it: progress, Ctrl+C, windows while it runs, and the report at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from kubectl_podtrace import __version__
from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.cli.flags import TraceOptions
from kubectl_podtrace.cli.gate import exit_code, tell
from kubectl_podtrace.cli.onlookers import Moment, Onlooker
from kubectl_podtrace.cli.onlookers.blocks import WINDOW_S, Blocks
from kubectl_podtrace.cli.onlookers.counters import CountingProgress
from kubectl_podtrace.cli.onlookers.live import LiveScreen
from kubectl_podtrace.cli.parse import Format
from kubectl_podtrace.cli.progress import Progress
from kubectl_podtrace.errors import OutputError
from kubectl_podtrace.report.build import ClientFacts, ReportOptions, build_report, build_window
from kubectl_podtrace.report.events_csv import EventsCsv
from kubectl_podtrace.report.gate.judge import judged
from kubectl_podtrace.report.model import Gate, LiveReport, Remark
from kubectl_podtrace.report.target import TargetInfo, TracedContainers
from kubectl_podtrace.report.writer import Output, check_writable, page_of, write_report
from kubectl_podtrace.screen.screen import can_draw
from kubectl_podtrace.session import Phase, Session
from kubectl_podtrace.source import Cleanup, LineSource, stopping_on_signals
from kubectl_podtrace.wire.records import Event, Scope

if TYPE_CHECKING:
    from kubectl_podtrace.cli.onlookers.metrics import MetricsEndpoint

_REMARK_SLUG: Final = "plugin"
_FORMATS: Final[dict[Format, Literal["terminal", "json", "markdown", "csv", "html", "speedscope", "folded"]]] = {
    Format.TEXT: "terminal",
    Format.JSON: "json",
    Format.MARKDOWN: "markdown",
    Format.CSV: "csv",
    Format.HTML: "html",
    Format.SPEEDSCOPE: "speedscope",
    Format.FOLDED: "folded",
}


class Run:
    """Follows one source and reports; beside a command, stdout and the terminal are the command's until the report."""

    def __init__(
        self,
        *,
        options: TraceOptions,
        progress: Progress,
        beside_command: bool = False,
    ) -> None:
        self._options = options
        self._beside_command = beside_command
        is_for_programs = options.output.path is None and options.output.format is not Format.TEXT
        self._is_live = not (beside_command or options.duration_ns or is_for_programs)
        self._draws = self._is_live and can_draw(sys.stdout)
        self._events = EventsCsv(options.events_csv) if options.events_csv else None
        self._progress = progress
        self._fold = Fold(on_event=self._see)
        self._remarks: list[Remark] = []
        self._doubts: list[str] = []
        self._session: Session | None = None
        self._is_following = False
        self._moment = Moment(self._fold, self._live, lambda: TracedContainers(self._fold, self.target))
        self._gate: Gate | None = None
        self._started_at = datetime.now(UTC)
        check_writable(self._output())
        self._metrics = self._endpoint()
        self._onlookers = (*self._chosen_onlookers(), *([self._metrics] if self._metrics else []))
        self.target = TargetInfo()
        """What is known of the target so far."""
        self.cleanup: Cleanup | None = None
        """What became of the tracer pod."""

    @property
    def was_stopped(self) -> bool:
        """Whether the user ended it."""
        return self._session is not None and self._session.was_stopped

    @property
    def is_complete(self) -> bool:
        """Whether the tracer said its last word."""
        return self._fold.trailer is not None

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Within the block a signal ends the trace in good order; a second one, or one before the trace, at once."""
        with stopping_on_signals(self):
            try:
                yield
            finally:
                self._progress.finish()
                if self._metrics is not None:
                    self._metrics.end()
                if self._events is not None:
                    self._events.close()

    def stop(self) -> None:
        """See `Stoppable`."""
        if self._session is None or (self._is_following and self._session.was_stopped):
            # Asked again while lines are still read: an earlier interrupt was raised where the interpreter drops it,
            # such as a destructor.
            raise KeyboardInterrupt
        if self._is_following:
            self._session.stop()

    def step(self, text: str) -> None:
        """Say how far it is."""
        self._progress.step(text)

    def notice(self, text: str) -> None:
        """A remark for now and for the report."""
        self._progress.notice(text)
        self._remarks.append(Remark(slug=_REMARK_SLUG, text=text))

    def doubt(self, text: str) -> None:
        """A remark for now, and for what the report says about its trust."""
        self._progress.notice(text)
        self._doubts.append(text)

    def follow(
        self,
        source: LineSource,
        *,
        on_start: Callable[[], None] = lambda: None,
        on_scopes: Callable[[Collection[Scope]], None] = lambda _scopes: None,
    ) -> None:
        """The whole stream. Raises `PodtraceError`.

        `on_start` is called once, when all probes are attached; `on_scopes` again and again, with what has been seen.
        """

        def on_phase(phase: Phase) -> None:
            self._show_phase(phase)
            if phase is Phase.TRACING:
                on_start()

        def on_update() -> None:
            on_scopes(self._fold.scopes.values())
            self._update()

        self._session = Session(source=source, fold=self._fold, on_phase=on_phase, on_update=on_update)
        self._is_following = True
        try:
            self._session.run()
        finally:
            self._is_following = False
            self._progress.finish()
            for onlooker in self._onlookers:
                onlooker.end()

    def report(self) -> None:
        """Write what was asked for, where it was asked for."""
        try:
            self._report()
        finally:
            if self._gate is not None:
                tell(self._gate, sys.stderr)
            if self._events is not None:
                self._events.write(self._fold, TracedContainers(self._fold, self.target))

    def exit_code(self, code: int = 0) -> int:
        """That of the run, where it would be `code` without a gate. Raises `GateFailedError`."""
        return exit_code(self._gate, code, sys.stderr)

    def _chosen_onlookers(self) -> tuple[Onlooker, ...]:
        if self._draws:
            return (
                LiveScreen(
                    out=sys.stdout,
                    keyboard=sys.stdin,
                    color=page_of(sys.stdout).color,
                    every_event=self._options.every_event,
                    progress=self._progress,
                    was_stopped=lambda: self.was_stopped,
                ),
            )
        counting = CountingProgress(self._progress)
        return (counting, Blocks(sys.stdout, every_event=self._options.every_event)) if self._is_live else (counting,)

    def _endpoint(self) -> MetricsEndpoint | None:
        if self._options.metrics is None:
            return None
        from kubectl_podtrace.cli.onlookers.metrics import MetricsEndpoint

        return MetricsEndpoint(self._options.metrics, say=self._progress.notice)

    def _see(self, event: Event) -> None:
        if self._events is not None and self._fold.header is not None:
            self._events.add(event, self._fold.header.realtime_offset_ns)
        for onlooker in self._onlookers:
            onlooker.see(event)

    def _report(self) -> None:
        report = judged(
            build_report(self._fold, target=self.target, options=self._report_options(), client=self._client_facts()),
            self._options.conditions,
        )
        self._gate = report.gate
        output = self._output()
        try:
            write_report(report, output, stdout=sys.stdout, page=page_of(sys.stdout))
        except OutputError:
            if output.path is not None:
                # A trace of minutes is not lost over a full disk: what could not be filed is shown, then the reason.
                shown = replace(output, path=None, format="terminal" if output.format == "html" else output.format)
                write_report(report, shown, stdout=sys.stdout, page=page_of(sys.stdout))
            raise

    def _output(self) -> Output:
        wanted = self._options.output
        return Output(format=_FORMATS[wanted.format], path=wanted.path)

    def _show_phase(self, phase: Phase) -> None:
        tracing = phase is Phase.TRACING
        self._progress.step(phase.value, duration_ns=self._options.duration_ns if tracing else 0)
        if tracing and (self._beside_command or not self._options.duration_ns):
            self._progress.rest()
            if not (self._beside_command or self._draws):
                self._progress.notice("Ctrl+C ends the trace, and the report follows")

    def _update(self) -> None:
        for onlooker in self._onlookers:
            onlooker.look(self._moment)

    def _live(self) -> LiveReport:
        return build_window(
            self._fold, WINDOW_S, target=self.target, options=self._report_options(), client=self._client_facts()
        )

    def _report_options(self) -> ReportOptions:
        return ReportOptions(
            error_threshold_ratio=self._options.error_threshold_percent / 100,
            rtt_threshold_ns=self._options.rtt_threshold_ns,
            fs_threshold_ns=self._options.fs_threshold_ns,
            topics=self._options.topics,
        )

    def _client_facts(self) -> ClientFacts:
        return ClientFacts(
            version=__version__,
            started_at=self._started_at,
            ended_at=datetime.now(UTC),
            notices=tuple(self._remarks),
            doubts=tuple(self._doubts),
            cleanup=self.cleanup,
        )
