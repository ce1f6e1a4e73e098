"""The kinds of tracing that are compared, each as something that is on for a while."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager as Context
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from benchmarks.failure import BenchmarkError
from kubectl_podtrace.wire import codec, records
from kubectl_podtrace.wire.request import REQUEST_VARIABLE, STOP_LINE, CgroupTarget, TraceRequest
from kubectl_podtrace.wire.topics import FILTERS, TOPICS

ROOT = Path(__file__).parents[1]
PYTHON = "/usr/bin/python3"
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'tracer_image'}:{ROOT}"}


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One kind of tracing: with these topics; of another cgroup than that of the loads; or empty programs only."""

    name: str
    topics: tuple[str, ...] = ()
    elsewhere: bool = False
    empty: bool = False


def filter_name(name: str) -> str:
    """The kind of tracing that a filter alone is."""
    return f"`--filter {name}`"


UNTRACED = Mode(name="untraced")
EVERYTHING = Mode(name="everything", topics=TOPICS)
EMPTY = Mode(name="empty programs", empty=True)
ANOTHER = Mode(name="another process", topics=TOPICS, elsewhere=True)
SINGLE = tuple(Mode(name=filter_name(name), topics=topics) for name, topics in FILTERS.items())
MODES = (UNTRACED, EVERYTHING, *SINGLE, EMPTY, ANOTHER)


@dataclass(frozen=True, kw_only=True)
class Processors:
    """Which processor a measured program is held on, and which one all else: its client, the tracer."""

    load: int
    beside: int

    @classmethod
    def of_this_process(cls) -> Processors:
        """The first and the last one that we may use."""
        allowed = os.sched_getaffinity(0)
        return cls(load=min(allowed), beside=max(allowed))

    def holding(self, processor: int, command: list[str]) -> list[str]:
        """The command, which then runs on that processor."""
        return ["taskset", "-c", str(processor), *command]


@dataclass(kw_only=True)
class Footprint:
    """What the tracer itself took, each time that it traced everything."""

    attached_rss: list[int] = field(default_factory=list)
    peak_rss: list[int] = field(default_factory=list)
    cpu_ratio: list[float] = field(default_factory=list)
    stream_bytes_per_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Where it takes place: the cgroup of all loads, one that stays empty, the processors."""

    traced: Path
    empty: Path
    processors: Processors
    footprint: Footprint

    def start(self, mode: Mode) -> Context[int]:
        """Traces in one way meanwhile. Gives the pid that holds the programs; 0 where there is none."""
        if mode.empty:
            return _empty_programs(self.processors)
        if mode.topics:
            footprint = self.footprint if mode == EVERYTHING else Footprint()
            target = CgroupTarget(path=str(self.empty if mode.elsewhere else self.traced))
            request = TraceRequest(target=target, topics=mode.topics, max_overhead_ppm=0)
            return tracing(request, self.processors, footprint)
        return nullcontext(0)


def status_bytes(status: str, name: str) -> int:
    """A field that is given in kB, from the text of /proc/PID/status."""
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:")))


def cpu_ticks(stat: str) -> int:
    """CPU time in clock ticks, from the text of /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="ascii", errors="replace")


class _Drain(threading.Thread):
    """Takes the stream as the plugin would, and counts it."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self.bytes = 0
        self.start()

    def run(self) -> None:
        for line in self._stream:
            self.bytes += len(line)
        self._stream.close()


@contextmanager
def tracing(request: TraceRequest, processors: Processors, footprint: Footprint) -> Iterator[int]:
    """Traces meanwhile. The footprint: from attaching to the order to stop; its peak to the end."""
    process = subprocess.Popen(
        processors.holding(processors.beside, [PYTHON, "-m", "podtrace_tracer"]),
        env={**ENVIRONMENT, REQUEST_VARIABLE: request.to_json()}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    _await_start(process.stdout)
    began, ticks = time.monotonic(), cpu_ticks(_of_process(process.pid, "stat"))
    stream = _Drain(process.stdout)
    try:
        yield process.pid
    finally:
        seconds, streamed = time.monotonic() - began, stream.bytes
        used_s = (cpu_ticks(_of_process(process.pid, "stat")) - ticks) / os.sysconf("SC_CLK_TCK")
        rss = status_bytes(_of_process(process.pid, "status"), "VmRSS")
        peak_rss = _stop(process, stream)
    footprint.attached_rss.append(rss)
    footprint.peak_rss.append(peak_rss)
    footprint.cpu_ratio.append(used_s / seconds)
    footprint.stream_bytes_per_s.append(streamed / seconds)


def _stop(process: subprocess.Popen[bytes], stream: _Drain) -> int:
    """Ends the tracer and reads what it still has to say; its memory at the peak."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended already, and its status says how
        process.stdin.write(STOP_LINE)
        process.stdin.flush()
    stream.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with suppress(BrokenPipeError):
        process.stdin.close()
    if process.returncode != 0:
        raise BenchmarkError(f"the tracer ended with {process.returncode}")
    return 1024 * usage.ru_maxrss


def _await_start(stream: IO[bytes]) -> None:
    """Reads a tracer's stream up to the line that says that it has begun."""
    for data in stream:
        line = codec.decode(data)
        if isinstance(line, codec.Line) and isinstance(line.record, records.Header) and line.record.started_ns:
            return
    raise BenchmarkError("the tracer ended before it had attached its programs")


@contextmanager
def _empty_programs(processors: Processors) -> Iterator[int]:
    """Programs on both ends of every system call that do nothing."""
    process = subprocess.Popen(
        processors.holding(processors.beside, [PYTHON, str(ROOT / "benchmarks" / "empty_probes.py")]),
        env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise BenchmarkError("the empty programs could not be attached")
    try:
        yield process.pid
    finally:
        process.communicate()
