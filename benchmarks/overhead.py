"""What tracing costs: each load under each kind of tracing, in turn and again, so that a busy moment touches all alike.

What is compared is the load's CPU time for one operation, on one processor: medians over the rounds. Ratios are to
the untraced runs of those rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager as Context
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from kubectl_podtrace.wire import codec, records
from kubectl_podtrace.wire.request import REQUEST_VARIABLE, STOP_LINE, CgroupTarget, TraceRequest
from kubectl_podtrace.wire.topics import FILTERS, TOPICS

ROOT = Path(__file__).parents[1]
PYTHON = "/usr/bin/python3"
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'tracer_image'}:{ROOT}"}
UNTRACED, EVERYTHING, ONE_FILTER, EMPTY = "untraced", "everything", "one filter", "empty programs"
ANOTHER = "another process"
MODES = (UNTRACED, EVERYTHING, ONE_FILTER, EMPTY, ANOTHER)


@dataclass(frozen=True, kw_only=True, eq=False)
class Load:
    """A program that is measured: its arguments, its one filter, and the marks that it must keep, as ratios."""

    name: str
    arguments: tuple[str, ...]
    filter_name: str
    marks: dict[str, float]


@dataclass(kw_only=True)
class Footprint:
    """What the tracer itself took, each time that it traced everything."""

    attached_rss: list[int] = field(default_factory=list)
    peak_rss: list[int] = field(default_factory=list)
    cpu_ratio: list[float] = field(default_factory=list)
    stream_bytes_per_s: list[float] = field(default_factory=list)


def status_bytes(pid: int, name: str) -> int:
    """A field of /proc/PID/status that is given in kB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return 1024 * int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")))


def cpu_s(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


@contextmanager
def tracer(cgroup: Path, topics: tuple[str, ...], footprint: Footprint | None = None) -> Iterator[None]:
    """Traces a cgroup meanwhile. Its footprint: from attaching to the order to stop; its peak to the end."""
    request = TraceRequest(target=CgroupTarget(path=str(cgroup)), topics=topics)
    process = subprocess.Popen(
        [PYTHON, "-m", "podtrace_tracer"],
        env={**ENVIRONMENT, REQUEST_VARIABLE: request.to_json()}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for data in process.stdout:
        line = codec.decode(data)
        if isinstance(line, codec.Line) and isinstance(line.record, records.Header) and line.record.started_ns:
            break
    began, cpu, rss = time.monotonic(), cpu_s(process.pid), status_bytes(process.pid, "VmRSS")
    stream = _Drain(process.stdout)
    try:
        yield
    finally:
        seconds = time.monotonic() - began
        cpu_ratio, bytes_per_s = (cpu_s(process.pid) - cpu) / seconds, stream.bytes / seconds
        process.stdin.write(STOP_LINE)
        process.stdin.flush()
        stream.join()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdin.close()
        process.stdout.close()
        if footprint is not None:
            footprint.attached_rss.append(rss)
            footprint.peak_rss.append(1024 * usage.ru_maxrss)
            footprint.cpu_ratio.append(cpu_ratio)
            footprint.stream_bytes_per_s.append(bytes_per_s)


@contextmanager
def empty_programs() -> Iterator[None]:
    """Programs on both ends of every system call that do nothing."""
    process = subprocess.Popen(
        [PYTHON, str(ROOT / "benchmarks" / "empty_probes.py")],
        env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise SystemExit("error: the empty programs could not be attached")
    try:
        yield
    finally:
        process.communicate()


def run(load: Load, program: Path, cgroup: Path | None) -> float:
    """CPU time per operation of one run, in ns."""
    enter = f'echo $$ > "{cgroup}/cgroup.procs" && exec "$@"' if cgroup else 'exec "$@"'
    command = [
        "taskset",
        "-c",
        str(min(os.sched_getaffinity(0))),
        "sh",
        "-c",
        enter,
        "sh",
        str(program),
        *load.arguments,
    ]
    process = subprocess.run(command, input=b"\n", stdout=subprocess.PIPE, check=True)
    return float(process.stdout.split()[-1])


@dataclass(frozen=True, kw_only=True)
class Result:
    """One load in one mode: ns per operation in each round."""

    load: Load
    mode: str
    ns: tuple[float, ...]


def _environment(mode: str, load: Load, cgroup: Path, footprint: Footprint) -> Context[None]:
    match mode:
        case "everything":
            return tracer(cgroup, TOPICS, footprint)
        case "one filter":
            return tracer(cgroup, FILTERS[load.filter_name])
        case "empty programs":
            return empty_programs()
        case "another process":
            return tracer(cgroup, TOPICS)
        case _:
            return nullcontext()


def measure(
    loads: dict[Load, Path], cgroup: Path, rounds: int, footprint: Footprint, said: Callable[[str], None]
) -> list[Result]:
    """All loads in all modes, `rounds` times over."""
    found: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        for mode in MODES:
            for load, program in loads.items():
                with _environment(mode, load, cgroup, footprint):
                    ns = run(load, program, None if mode == ANOTHER else cgroup)
                found.setdefault((load.name, mode), []).append(ns)
                said(f"round {number + 1}: {load.name}, {mode}: {ns:.0f} ns")
    return [Result(load=load, mode=mode, ns=tuple(found[load.name, mode])) for load in loads for mode in MODES]


def ratio(result: Result, results: Sequence[Result]) -> float:
    """A mode's runs to the untraced ones of the same rounds: the median over the rounds."""
    untraced = next(other for other in results if other.load == result.load and other.mode == UNTRACED)
    return statistics.median(own / other for own, other in zip(result.ns, untraced.ns, strict=True))


def help_ms(rounds: int) -> float:
    """Median wall time of `kubectl-podtrace --help`."""
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        command = [str(ROOT / ".venv" / "bin" / "kubectl-podtrace"), "--help"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - began)
    return 1000 * statistics.median(times)
