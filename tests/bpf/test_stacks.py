"""Stacks: each operation above its threshold is under the function that made it, however that was compiled."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget, TraceRequest
from tests.bpf.conftest import HERE, StartTracer
from tests.bpf.harness import ENTER_CGROUP
from tests.bpf.stack_stream import counts_by_chain, stacks_of
from tests.bpf.stream import Stream

SOURCE = HERE / "workloads" / "stacks.c"
WRITES = {("journal", "writes_by_hand", "work"): 7, ("journal", "writes_by_foot", "work"): 11}


def every_operation(cgroup: Path) -> TraceRequest:
    """All operations on files are slow."""
    return TraceRequest(target=CgroupTarget(path=str(cgroup)), topics=("files",), fs_threshold_ns=0, max_overhead_ppm=0)


TraceProgram = Callable[[Sequence[str]], Stream]


@pytest.fixture
def trace_program(cgroup: Path, start_tracer: StartTracer, opened: ExitStack) -> TraceProgram:
    """Traces the whole work of a program that says "ready", works when it reads a line, and says "done"."""

    def trace(command: Sequence[str]) -> Stream:
        process = subprocess.Popen(
            ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        opened.callback(process.wait)
        opened.callback(process.kill)
        assert process.stdin is not None
        assert process.stdout is not None
        opened.enter_context(process.stdin)
        opened.enter_context(process.stdout)
        assert process.stdout.readline() == b"ready\n"
        tracer = start_tracer(every_operation(cgroup))
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"done\n"
        return tracer.stop()

    return trace


def compiled(directory: Path, *flags: str) -> Path:
    """The load, with its functions' frames kept unless the flags say otherwise."""
    program = directory / "stacks"
    subprocess.run(["gcc", "-O2", "-fno-omit-frame-pointer", *flags, "-o", str(program), str(SOURCE)], check=True)
    return program


def test_every_slow_operation_is_counted_under_the_functions_that_made_it(
    trace_program: TraceProgram, tmp_path: Path
) -> None:
    program = compiled(tmp_path)
    stream = trace_program([str(program), str(tmp_path / "journal")])
    stream.assert_whole()
    writes, flushes = stacks_of(stream, "files.write"), stacks_of(stream, "files.fsync")
    assert counts_by_chain(writes, *WRITES) == WRITES
    assert counts_by_chain(flushes, ("flushes", "work", "main")) == {("flushes", "work", "main"): 13}
    for name, stacks in (("files.write", writes), ("files.fsync", flushes)):
        total = stream.total(name)
        assert sum(stack.row.count for stack in stacks) == total.slow == total.count
        assert sum(stack.row.total_ns for stack in stacks) == total.sum_ns
        assert max(stack.row.max_ns for stack in stacks) == total.max_ns
        for stack in stacks:
            assert sum(stack.row.buckets[1::2]) == stack.row.count
            assert (stack.row.target, stack.row.targets_vary) == (str(tmp_path / "journal"), False)
    assert {frame.module for stack in writes for frame in stack.frames if frame.symbol == "journal"} == {str(program)}
