"""A tracer without BPF: takes the request and the stop line as the real one does, and says what its script says.

Started as `fake_tracer.py SCRIPT NOTES`. NOTES gets, as JSON, what was there when the "probes were attached".
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kubectl_podtrace.wire import codec, cost_records, records
from kubectl_podtrace.wire.request import REQUEST_VARIABLE, CgroupTarget, ProcessTarget, TraceRequest
from kubectl_podtrace.wire.version import WIRE_VERSION

READS = 4242
HEARTBEAT = records.Heartbeat(
    lost=(), dropped=(), suppressed=(), tables=(), stream_bytes=1000, cpu_ns=1_000_000, rss_bytes=90_000_000
)
READ = records.TotalsRow(
    scope=0, operation="files.read", count=READS, errors=0, would_block=0, interrupted=0, bytes=READS, messages=0,
    timed=0, slow=0, sum_ns=0, max_ns=0, max_bytes=1,
)  # fmt: skip
NEVER_S = 60.0


class Tracer:
    """One run of a script."""

    def __init__(self, notes: Path) -> None:
        self.request = TraceRequest.from_json(os.environ[REQUEST_VARIABLE])
        self.started_ns = 0
        self._notes = notes
        self._seq = 0
        self._heard = b""

    def say(self, record: records.Record) -> None:
        self._seq += 1
        self.write(codec.encode(codec.Line(seq=self._seq, at_ns=time.monotonic_ns(), record=record)))

    def write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def header(self) -> None:
        self.say(
            records.Header(
                wire_version=WIRE_VERSION,
                tracer_version="0.0.fake",
                node="node-a",
                kernel="6.0",
                machine="x86_64",
                bcc_version="0.0",
                boot_id="",
                realtime_offset_ns=time.time_ns() - time.monotonic_ns(),
                topics=self.request.topics,
                fs_threshold_ns=self.request.fs_threshold_ns,
                rtt_threshold_ns=self.request.rtt_threshold_ns,
                duration_ns=self.request.duration_ns,
                scope_mode="cgroup",
                started_ns=self.started_ns,
            )
        )

    def attach(self) -> None:
        self.header()
        self._take_notes()
        self.started_ns = time.monotonic_ns()
        self.say(records.Scope(index=0, cgroup_id=1, cgroup="/podtrace", container_id=""))
        self.header()

    def await_stop(self) -> str:
        """Why the trace is over."""
        return "stopped" if self.is_stopped(self.request.duration_ns / 1e9 or NEVER_S) else "duration"

    def is_stopped(self, patience_s: float) -> bool:
        """Whether the order to stop comes in so many seconds in which nothing else does."""
        while select.select([0], [], [], patience_s)[0]:
            chunk = os.read(0, 100)
            self._heard += chunk
            if not chunk or b"stop\n" in self._heard:
                return True
        return False

    def finish(self, reason: str) -> None:
        self.say(records.Totals(rows=(READ,)))
        self.say(HEARTBEAT)
        self.say(records.Trailer(ended_ns=time.monotonic_ns(), reason=reason, heartbeat=HEARTBEAT, totals=(READ,)))

    def _take_notes(self) -> None:
        match self.request.target:
            case CgroupTarget(path=path):
                pids = [int(pid) for pid in (Path(path) / "cgroup.procs").read_text().split()]
                notes: dict[str, Any] = {"cgroup": path, "pids": pids}
            case ProcessTarget(pid=pid):
                notes = {"cgroup": "", "pids": [pid]}
            case _:
                raise AssertionError(self.request)
        notes["max_overhead_ppm"] = self.request.max_overhead_ppm
        notes["is_watched"] = self.request.is_watched
        notes["beside"] = sorted(path.name for path in self._notes.parent.iterdir())
        notes["session"] = os.getsid(0)
        self._notes.write_text(json.dumps(notes))


def reads(number: int) -> records.TotalsRow:
    """So many reads of a byte."""
    return replace(READ, count=number, bytes=number)


def usual(tracer: Tracer) -> None:
    """All goes well."""
    tracer.attach()
    tracer.finish(tracer.await_stop())


def watched(tracer: Tracer) -> None:
    """Somebody looks at its numbers while it runs."""
    tracer.attach()
    durations = records.Histogram(scope=0, operation="files.read", buckets=(100, READS))
    tracer.say(records.Totals(rows=(replace(READ, timed=READS, sum_ns=READS * 10_000, max_ns=10_000),)))
    tracer.say(durations)
    tracer.say(HEARTBEAT)
    tracer.finish(tracer.await_stop())


def lively(tracer: Tracer) -> None:
    """Heartbeats come quickly, and with each of them a slow fsync and a command that went well."""
    tracer.attach()
    beats, row = 0, reads(0)
    while not tracer.is_stopped(0.05):
        beats += 1
        for operation, slow in (("files.fsync", True), ("processes.exec", False)):
            tracer.say(
                records.Event(
                    scope=0, operation=operation, pid=7, node_pid=4107, comm="worker", start_ns=time.monotonic_ns(),
                    duration_ns=27_200_000, errno=0, signal=0, result=0, slow=slow, name=f"/data/{beats}", address="",
                    port=0,
                )
            )  # fmt: skip
        row = reads(beats * 1_000)
        tracer.say(records.Totals(rows=(row,)))
        tracer.say(HEARTBEAT)
    tracer.say(HEARTBEAT)
    tracer.say(records.Trailer(ended_ns=time.monotonic_ns(), reason="stopped", heartbeat=HEARTBEAT, totals=(row,)))


def shedding(tracer: Tracer) -> None:
    """Tracing costs more than it may."""
    tracer.attach()
    now_ns = time.monotonic_ns()
    exits = cost_records.ProgramCostRow(program="raw_tracepoint:sys_exit", runs=5_003, run_ns=2_000_000, misses=2)
    tracer.say(cost_records.Cost(wall_ns=10_000_000, measured_ns=1_000_000, cpus=2, tracer_ns=1_000_000, rows=(exits,)))
    tracer.say(
        cost_records.Shed(
            shed_ns=now_ns, probes=("raw_tracepoint:sys_exit",), topics=("files",), operations=("files.read",),
            lacks="reads are not counted", overhead_ppm=150_000, limit_ppm=tracer.request.max_overhead_ppm,
            cost_ppm=100_000,
        )
    )  # fmt: skip
    tracer.finish(tracer.await_stop())


def refusing(tracer: Tracer) -> None:
    """It cannot trace here."""
    tracer.say(records.Refusal(slug="no-btf", text="this kernel has no BTF\x1b[2J", hint="use a newer one"))


def crashing(tracer: Tracer) -> None:
    """It falls over before it says anything."""
    sys.stderr.write("Traceback ...\nImportError: no bcc \x1b[2J\n")
    raise SystemExit(3)


def fading(tracer: Tracer) -> None:
    """It is lost in the middle of a line while it traces."""
    tracer.attach()
    tracer.say(HEARTBEAT)
    tracer.write(b'{"kind":"totals","seq":5,"at_')
    os._exit(1)


def babbling(tracer: Tracer) -> None:
    """Its stream is full of what is no record."""
    noise = (
        b"libbcc: warning", b"\xff\xfe\x00", b"[" * 100_000, b'{"kind":"totals","seq":-1}', b"x" * 1_000_000,
        b'{"kind":"totals","seq":7,"at_ns":1,"rows":[[0,"files.read",-5]]}', b"{}", b"null",
    )  # fmt: skip
    for line in noise:
        tracer.write(line + b"\n")
    usual(tracer)


def unready(tracer: Tracer) -> None:
    """It ends between its first line and its probes."""
    tracer.header()


def deaf(tracer: Tracer) -> None:
    """It takes no orders."""
    tracer.attach()
    time.sleep(NEVER_S)


SCRIPTS: dict[str, Callable[[Tracer], None]] = {
    script.__name__: script
    for script in (usual, lively, watched, shedding, refusing, crashing, fading, babbling, unready, deaf)
}

if __name__ == "__main__":
    SCRIPTS[sys.argv[1]](Tracer(Path(sys.argv[2])))
