"""Waits off the CPU: each that lasts is under the function that waited, and the totals have all others too."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubectl_podtrace.wire import histogram
from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.topics import LONG_WAIT_NS, TOPICS
from tests.bpf.conftest import HERE, StartTracer
from tests.bpf.harness import EMULATED, ENTER_CGROUP, ask
from tests.bpf.stack_stream import counts_by_chain, waits_of
from tests.bpf.stream import Stream
from tests.bpf.test_cpu import CAUSES

SOURCE = HERE / "workloads" / "off_cpu.c"
WAIT_MS = "80" if EMULATED else "3"
"""Long enough that it lasts a millisecond after its thread has left the CPU, too."""
CHAINS = {
    "naps by_day": ("cpu.sleep", ("naps", "by_day")),
    "naps by_night": ("cpu.sleep", ("naps", "by_night")),
    "awaits_lock": ("cpu.lock", ("awaits_lock",)),
    "awaits_packet": ("cpu.network", ("awaits_packet",)),
    "awaits_pipe": ("cpu.other", ("awaits_pipe",)),
}
"""What the load calls its functions -> cause, and the functions that follow each other in the stack."""

BY_EVENTS = ("env", "PODTRACE_CALLS=events")
AT_HOME = pytest.mark.skipif(EMULATED, reason="this is one of the other kernels, which sees calls in its own way")

Told = dict[str, tuple[int, int, int, int]]
TraceWaits = Callable[..., tuple[Stream, Told]]


@pytest.fixture
def trace_waits(cgroup: Path, start_tracer: StartTracer, opened: ExitStack, tmp_path: Path) -> TraceWaits:
    """Traces the whole work of the load; its own account is the second source."""

    def trace(topics: tuple[str, ...], *wrapper: str) -> tuple[Stream, Told]:
        program = tmp_path / "off_cpu"
        flags = ["-O2", "-fno-omit-frame-pointer", "-pthread"]
        subprocess.run(["gcc", *flags, "-o", str(program), str(SOURCE)], check=True)
        command = ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), str(program), WAIT_MS]
        process = opened.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        opened.callback(process.kill)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=topics), wrapper=wrapper)
        process.stdin.write(b"\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        stream = tracer.stop()
        stream.assert_whole()
        return stream, {name: tuple(numbers) for name, numbers in told.items()}

    return trace


def assert_parts_of_totals(stream: Stream) -> None:
    """No cause has more, or longer, waits with a stack than it has waits; each stack's own numbers agree."""
    for cause in CAUSES:
        stacks = waits_of(stream, cause)
        if not stacks:
            continue
        total = stream.total(cause)
        buckets = stream.buckets(cause)
        assert sum(stack.row.count for stack in stacks) <= total.count
        assert sum(stack.row.total_ns for stack in stacks) <= total.sum_ns
        assert max(stack.row.max_ns for stack in stacks) <= total.max_ns
        for stack in stacks:
            own = dict(zip(stack.row.buckets[::2], stack.row.buckets[1::2], strict=True))
            assert sum(own.values()) == stack.row.count
            assert min(own) >= histogram.bucket_of(LONG_WAIT_NS)
            assert all(count <= buckets[bucket] for bucket, count in own.items())
    assert not waits_of(stream, "cpu.run_queue")


def unlisted(stream: Stream) -> int:
    """Long waits in system calls that have no stack, as the tracer says."""
    return next(row.unlisted for row in stream.trailer.heartbeat.tables if row.table == "long_waits")


@pytest.mark.parametrize(
    ("topics", "wrapper"),
    [
        (("cpu", "locks"), ()),
        (TOPICS, ()),
        (TOPICS, ("env", "PODTRACE_READS=helper")),
        pytest.param(TOPICS, BY_EVENTS, marks=AT_HOME),
        pytest.param(("cpu",), BY_EVENTS, marks=AT_HOME),
    ],
    ids=["alone", "with all", "helper", "events", "alone by events"],
)
def test_every_long_wait_is_counted_under_the_functions_that_waited(
    run: int, trace_waits: TraceWaits, topics: tuple[str, ...], wrapper: tuple[str, ...]
) -> None:
    stream, told = trace_waits(topics, *wrapper)
    assert_parts_of_totals(stream)
    without_place = 0
    for name, (cause, chain) in CHAINS.items():
        calls, long_calls, asked_ns, took_ns = told[name]
        stacks = [stack for stack in waits_of(stream, cause) if stack.chain(*chain)]
        seen = [(stack.row.count, stack.symbols) for stack in waits_of(stream, cause)]
        assert counts_by_chain(stacks, chain).keys() == {chain}, (name, unlisted(stream), seen)
        without_place += calls - sum(stack.row.count for stack in stacks)
        assert calls == long_calls
        # The call itself begins before its thread leaves the CPU, and that on a busy machine by more than a moment.
        assert sum(stack.row.total_ns for stack in stacks) <= took_ns
        assert max(stack.row.max_ns for stack in stacks) >= 0.9 * asked_ns / calls
    # Where the kernel runs no programs while a certain task is current, nobody sees whom a switch from it brings back:
    # such a wait is known when its thread runs already, and counted as one without a place. All others have a stack.
    answers = sum(stack.row.count for stack in waits_of(stream, "cpu.sleep") if stack.chain("answers"))
    without_place += told["touches"][0] - answers
    assert 0 <= without_place <= unlisted(stream) < sum(told[name][0] for name in CHAINS) / 2


def test_short_waits_and_page_faults_have_no_stack_and_are_in_the_totals(run: int, trace_waits: TraceWaits) -> None:
    stream, told = trace_waits(("cpu",))
    sleeps, others = waits_of(stream, "cpu.sleep"), waits_of(stream, "cpu.other")
    naps = told["naps by_day"][0] + told["naps by_night"][0]
    dozes, long_dozes, *_ = told["dozes"]
    faults, *_ = told["touches"]
    answers = sum(stack.row.count for stack in sleeps if stack.chain("answers"))
    assert faults - unlisted(stream) <= answers <= faults
    assert sum(stack.row.count for stack in sleeps if stack.chain("dozes")) <= long_dozes
    assert stream.total("cpu.sleep").count == naps + dozes + faults
    # What follows a fault is not blamed for it.
    assert not [stack for stack in (*sleeps, *others) if "innocent" in stack.symbols or "touches" in stack.symbols]
    rest_ns = stream.total("cpu.other").sum_ns - sum(stack.row.total_ns for stack in others)
    assert rest_ns >= 0.9 * faults * int(WAIT_MS) * 1_000_000
