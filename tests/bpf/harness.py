"""Starts the known loads and the tracer, brings them together in the right order, and compares what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from errno import errorcode
from pathlib import Path
from typing import IO, Any

from kubectl_podtrace.wire import codec, records
from kubectl_podtrace.wire.request import (
    CACHE_VARIABLE,
    REQUEST_VARIABLE,
    STOP_LINE,
    CgroupTarget,
    PodTarget,
    ProcessTarget,
    TraceRequest,
)
from kubectl_podtrace.wire.topics import TOPICS
from tests.bpf.second_sources import strace_calls
from tests.bpf.stream import Attempts, Counts, FileUse, Stream

ROOT = Path(__file__).parents[2]
EMULATED = "KERNELS_GUEST" in os.environ
"""An emulated processor is some 30 times slower: there the counts are what is shown."""
PATIENCE_S = 600 if EMULATED else 100
"""Longer than any step takes."""

OF_RAW_TRACEPOINTS = (
    "connections.", "tcp.state_", "tcp.retransmit", "tcp.reset", "processes.fork", "processes.exec",
)  # fmt: skip
"""What is counted by raw tracepoints that processes reach, and by nothing else."""

ENTER_CGROUP = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'
"""Run by a shell that then becomes the load: from its first instruction on, the load is in the cgroup."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a load says that it did."""

    counts: dict[str, Counts]
    errors: dict[tuple[str, int], int]
    body: dict[str, Any] = field(repr=False)

    @property
    def files(self) -> dict[str, FileUse]:
        """What was done with each path, for loads that tell."""
        return {path: FileUse(operations=o, bytes=b, opened=n) for path, o, b, n in self.body["files"]}

    @property
    def targets(self) -> dict[tuple[str, int], Attempts]:
        """What became of the attempts to each address and port, for loads that tell."""
        return {
            (address, port): Attempts(attempts=attempts, failed=failed, established=established)
            for address, port, attempts, failed, established in self.body["targets"]
        }

    def with_exits(self, count: int) -> Claims:
        """The same and so many ended processes: the load cannot count its own end."""
        exits = self.counts["processes.exit"]
        return replace(self, counts={**self.counts, "processes.exit": replace(exits, count=exits.count + count)})

    def without(self, operation: str, number: int, count: int) -> Claims:
        """The same, and so many errors of one number less."""
        counts = {**self.counts, operation: replace(self.counts[operation], count=self.counts[operation].count - count)}
        return replace(
            self, counts=counts, errors=self.errors | {(operation, number): self.errors[operation, number] - count}
        )

    def __add__(self, other: Claims) -> Claims:
        counts = {name: self.counts[name] + other.counts[name] for name in self.counts}
        keys = {*self.errors, *other.errors}
        errors = {key: self.errors.get(key, 0) + other.errors.get(key, 0) for key in keys}
        return Claims(counts=counts, errors=errors, body={})


def parse_claims(text: bytes) -> Claims:
    """The JSON line of a load."""
    body = json.loads(text)
    names = tuple(Counts.__dataclass_fields__)
    return Claims(
        counts={name: Counts(**dict(zip(names, row, strict=True))) for name, row in body["operations"].items()},
        errors={(operation, number): count for operation, number, count in body["errors"]},
        body=body,
    )


class Load:
    """One run of a known load: ready when made, working after `release`."""

    def __init__(self, program: Path, *arguments: str, cgroup: Path | None = None, wrapper: Sequence[str] = ()) -> None:
        enter = ("sh", "-c", ENTER_CGROUP, "sh", str(cgroup)) if cgroup else ()
        command = [*enter, *wrapper, str(program), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.printed = 0
        line = self._out.readline()
        assert line == b"ready\n", f"{command} says {line!r}"

    @property
    def _out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def release(self) -> None:
        """Lets it begin; or, if it holds, end."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def claims(self) -> Claims:
        """Waits for what it says that it did."""
        line = self._out.readline()
        self.printed = len(line)
        return parse_claims(line)

    def finish(self) -> None:
        """Waits for its end."""
        assert self.process.wait(PATIENCE_S) == 0

    def close(self) -> None:
        """Leaves no process and no pipe behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Tracer:
    """The tracer as a process of its own, its probes attached when made."""

    def __init__(self, request: TraceRequest, *, wrapper: Sequence[str] = ()) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'tracer_image'}:{ROOT}",
            REQUEST_VARIABLE: request.to_json(),
            **{name: os.environ[name] for name in (CACHE_VARIABLE,) if name in os.environ},
        }
        self._lines: list[codec.Line | codec.UnknownKind | codec.Noise] = []
        self._arrived = threading.Condition()
        self.process = subprocess.Popen(
            [*wrapper, "/usr/bin/python3", "-m", "podtrace_tracer"],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._errors = b""
        self._readers = [threading.Thread(target=target) for target in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()
        try:
            self.wait_for(lambda record: isinstance(record, records.Header) and record.started_ns > 0)
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        assert self.process.stdout is not None
        for data in self.process.stdout:
            line = codec.decode(data)
            with self._arrived:
                self._lines.append(line)
                self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors = self.process.stderr.read()

    def wait_for(self, wanted: Callable[[records.Record], bool]) -> None:
        """Waits until a record has come, now or before, that is wanted."""

        def found() -> bool:
            self._refuse()
            return any(isinstance(line, codec.Line) and wanted(line.record) for line in self._lines)

        with self._arrived:
            assert self._arrived.wait_for(found, PATIENCE_S), f"not seen in {PATIENCE_S} s"

    def _refuse(self) -> None:
        known = [line.record for line in self._lines if isinstance(line, codec.Line)]
        refusals = [record for record in known if isinstance(record, records.Refusal)]
        assert not refusals, refusals
        assert self.process.poll() is None, f"the tracer ended: {self._errors.decode(errors='replace')[-3000:]}"

    def stop(self) -> Stream:
        """Ends the trace in the usual way; the whole stream."""
        assert self.process.stdin is not None
        self.process.stdin.write(STOP_LINE)
        self.process.stdin.flush()
        return self.wait()

    def wait(self) -> Stream:
        """Waits for the end of the trace; the whole stream."""
        status = self.process.wait(PATIENCE_S)
        self.close()
        assert (status, self._errors) == (0, b""), self._errors.decode(errors="replace")[-3000:]
        return Stream(self._lines)

    def close(self) -> None:
        """Leaves no process, thread or pipe behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def ask(
    target: PodTarget | CgroupTarget | ProcessTarget, *, topics: Sequence[str] = TOPICS, every_event: bool = False
) -> TraceRequest:
    """A request that sheds nothing; with `every_event`, each timed operation is slow and none is kept back."""
    if not every_event:
        return TraceRequest(target=target, topics=tuple(topics), max_overhead_ppm=0)
    return TraceRequest(
        target=target, topics=tuple(topics), fs_threshold_ns=0, rtt_threshold_ns=0, events_per_s=0, max_overhead_ppm=0
    )


def _agree(name: str, claimed: Counts, traced: Counts, skipped: int) -> bool:
    if not name.startswith(OF_RAW_TRACEPOINTS):
        return claimed == traced
    off = abs(claimed.count - traced.count), abs(claimed.errors - traced.errors)
    return max(off) <= skipped and replace(claimed, count=traced.count, errors=traced.errors) == traced


def assert_equal(stream: Stream, claims: Claims, topics: Sequence[str] = TOPICS) -> None:
    """Every count, byte sum and error number that both know is the same.

    Where the kernel says that it has skipped events, what these count is off by at most as many as it says.
    """
    stream.assert_whole()
    traced = stream.counts()
    asked = [name for name in claims.counts if name.split(".")[0] in topics]
    different = {
        name: f"the load says {claims.counts[name]}, the tracer {traced.get(name, Counts())}"
        for name in asked
        if not _agree(name, claims.counts[name], traced.get(name, Counts()), stream.skipped)
    }
    assert not different, different
    errors = {key: n for key, n in claims.errors.items() if key[0] in asked}
    for key in {*errors, *stream.errors}:
        off = abs(errors.get(key, 0) - stream.errors.get(key, 0))
        assert off <= (stream.skipped if key[0].startswith(OF_RAW_TRACEPOINTS) else 0), key
    for row in stream.totals.values():
        assert row.timed <= row.count, row
    for name in traced:
        timed = sum(row.timed for row in stream.totals.values() if row.operation == name)
        assert sum(stream.buckets(name).values()) == timed, name


def assert_strace_counts_the_same(stream: Stream, straced: Load, directory: Path, topic: str) -> None:
    """Runs a load, which holds at its end, under `strace -ff -yy -o DIRECTORY/strace`: the same calls and errors."""
    straced.release()
    straced.claims()
    straced.release()
    straced.finish()
    calls, errors = strace_calls(list(directory.glob("strace.*")), frozenset())
    counts = stream.counts()
    for name in (f"{topic}.send", f"{topic}.receive"):
        assert counts[name].count + counts[name].would_block + counts[name].interrupted == calls[name], name
    traced = {(name, errorcode[number]): n for (name, number), n in stream.errors.items()}
    assert {key: n for key, n in errors.items() if key[0].startswith(topic)} == traced


def remark(text: str) -> None:
    """A measured number for whoever reads the log."""
    sys.stdout.write(text + "\n")
