"""Local mode's byte stream: starts the tracer, passes its lines on, ends it and the command at the right moments."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Final

from kubectl_podtrace.errors import PodtraceError, TracerStartError
from kubectl_podtrace.local.command import HeldCommand
from kubectl_podtrace.local.tracer import TracerProgram
from kubectl_podtrace.source import LineSplitter
from kubectl_podtrace.wire.codec import ends_stream
from kubectl_podtrace.wire.fields import MAX_LINE
from kubectl_podtrace.wire.request import ACK_LINE, PING_LINE, REQUEST_VARIABLE, STOP_LINE, TraceRequest

_CHUNK: Final = 1 << 16
_KEPT_STDERR: Final = 1 << 13


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long we wait, in seconds, before we insist.

    `command_s`: for the command to end after a signal; `tracer_s`: for the tracer's final snapshot; `leaving_s`: for
    its end when nobody wants its lines any more.
    """

    command_s: float = 5.0
    tracer_s: float = 30.0
    leaving_s: float = 1.0


class LocalSource:
    """A tracer on this machine, and the command that it traces (if we started one): see `LineSource`.

    One thread waits for everything: lines, the command's end, a signal's wish to stop. `watched` is a pidfd; the end of
    its process ends the trace. `on_ending` is called when a stop has to wait for the command.
    """

    def __init__(
        self,
        *,
        program: TracerProgram,
        request: TraceRequest,
        command: HeldCommand | None = None,
        watched: int | None = None,
        patience: Patience = Patience(),
        on_ending: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._program = program
        self._request = request
        self._command = command
        self._watched = command.pidfd if command is not None else watched
        self._patience = patience
        self._on_ending = on_ending
        self._clock = clock
        self._tracer: subprocess.Popen[bytes] | None = None
        self._selector = selectors.DefaultSelector()
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._splitter = LineSplitter(MAX_LINE + 1)
        self._stderr = b""
        self._stop_at: float | None = None
        self._kill_at: float | None = None
        self._failure: PodtraceError | None = None
        self._closed = False
        self.notices: list[str] = []
        self.command_was_ended = False
        """Whether the command was still running when the trace was over, so that we ended it."""

    def lines(self) -> Iterator[bytes]:
        """See `LineSource`. Ends when tracer and command have both ended."""
        tracer = self._start()
        any_line = False
        assert tracer.stdout is not None
        while tracer.stdout.fileno() in self._selector.get_map():
            for line in self._wait():
                any_line = True
                if ends_stream(line):
                    self._tell(ACK_LINE)
                yield line
        rest = self._splitter.rest()
        if rest:
            any_line = True
            yield rest
        self._end_tracer(self._patience.tracer_s)
        if self._failure is not None:
            raise self._failure
        if not any_line:
            raise TracerStartError(f"the tracer said nothing{self._last_words()}")
        self._end_command()

    def release(self) -> None:
        """The probes are attached: let the command go."""
        if self._command is not None and not self._command.released:
            self._selector.register(self._command.channel, selectors.EVENT_READ, self._on_exec)
            self._command.release()

    def stop(self) -> None:
        """See `LineSource`. The command has the same signal from its terminal, so its end is waited for, a while."""
        try:
            os.write(self._wake_in, b"s")
        except OSError:
            # Full: it is known already. Closed: it is over.
            return

    def close(self) -> None:
        """See `LineSource`."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._tracer is not None:
                self._stop_tracer()
                self._end_tracer(self._patience.leaving_s)
        finally:
            self._selector.close()
            os.close(self._wake_out)
            os.close(self._wake_in)
            self._wake_in = -1

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            # A session of its own: the terminal's Ctrl+C is for us and the command.
            tracer = subprocess.Popen(
                self._program.arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**self._program.environment, REQUEST_VARIABLE: self._request.to_json()},
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise TracerStartError(f"the tracer cannot be started: {error}") from error
        self._tracer = tracer
        # Its stdin ends with us, however we end: that counts once something was read, and no lease is needed.
        self._tell(PING_LINE)
        for stream, act in ((tracer.stdout, self._on_stdout), (tracer.stderr, self._on_stderr)):
            assert stream is not None
            self._selector.register(stream.fileno(), selectors.EVENT_READ, act)
        self._selector.register(self._wake_out, selectors.EVENT_READ, self._on_wish)
        if self._watched is not None:
            self._selector.register(self._watched, selectors.EVENT_READ, self._on_end)
        return tracer

    def _wait(self) -> list[bytes]:
        """Wait for the next thing that happens, act on it, and return the lines that came."""
        lines: list[bytes] = []
        for key, _ in self._selector.select(self._timeout()):
            lines += key.data(key.fd)
        now = self._clock()
        if self._stop_at is not None and now >= self._stop_at:
            self._stop_tracer()
        if self._kill_at is not None and now >= self._kill_at and self._tracer is not None:
            self.notices.append("the tracer did not finish when it was asked to, and was killed")
            self._tracer.kill()
            self._kill_at = None
        return lines

    def _timeout(self) -> float | None:
        moments = [moment for moment in (self._stop_at, self._kill_at) if moment is not None]
        return max(min(moments) - self._clock(), 0) if moments else None

    def _on_stdout(self, descriptor: int) -> list[bytes]:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            self._selector.unregister(descriptor)
        return self._splitter.feed(chunk)

    def _on_stderr(self, descriptor: int) -> list[bytes]:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            self._selector.unregister(descriptor)
        self._stderr = (self._stderr + chunk)[-_KEPT_STDERR:]
        return []

    def _on_wish(self, descriptor: int) -> list[bytes]:
        os.read(descriptor, _CHUNK)
        if self._command is not None and self._command.released and self._command.status is None:
            if self._stop_at is None:
                self._stop_at = self._clock() + self._patience.command_s
                self._on_ending()
        else:
            self._stop_tracer()
        return []

    def _on_end(self, descriptor: int) -> list[bytes]:
        self._selector.unregister(descriptor)
        self._stop_tracer()
        return []

    def _on_exec(self, descriptor: int) -> list[bytes]:
        assert self._command is not None
        self._selector.unregister(descriptor)
        self._failure = self._command.exec_failure()
        if self._failure is not None:
            self._stop_tracer()
        return []

    def _stop_tracer(self) -> None:
        self._stop_at = None
        if self._kill_at is None:
            self._kill_at = self._clock() + self._patience.tracer_s
            self._tell(STOP_LINE)

    def _tell(self, line: bytes) -> None:
        assert self._tracer is not None
        assert self._tracer.stdin is not None
        try:
            self._tracer.stdin.write(line)
        except (OSError, ValueError):
            # It has ended, which its stdout says too.
            return

    def _end_tracer(self, patience_s: float) -> None:
        """After its last line; or early, when nobody reads on."""
        tracer = self._tracer
        assert tracer is not None
        if tracer.stdin is not None and not tracer.stdin.closed:
            tracer.stdin.close()
        for insist in (tracer.terminate, tracer.kill):
            try:
                tracer.wait(patience_s)
                break
            except subprocess.TimeoutExpired:
                insist()
        tracer.wait()
        _close(tracer.stdout, tracer.stderr)

    def _end_command(self) -> None:
        if self._command is None or self._command.status is not None:
            return
        self.command_was_ended = self._command.released
        self._command.end(self._patience.command_s)

    def _last_words(self) -> str:
        """How the tracer ended, for the one who has to find out why."""
        assert self._tracer is not None
        code = self._tracer.returncode
        how = f" and was ended by {signal.Signals(-code).name}" if code < 0 else f" and ended with exit code {code}"
        last = self._stderr.decode("utf-8", "replace").strip().splitlines()
        return f"{how}: {last[-1]}" if last else how


def _close(*streams: IO[bytes] | None) -> None:
    for stream in streams:
        if stream is not None:
            stream.close()
