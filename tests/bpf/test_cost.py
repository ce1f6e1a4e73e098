"""What tracing costs, and what is shed when that is too much: with the kernel's own numbers as the second source."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from benchmarks.programs import costs_of, statistics_on
from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.report.build import ClientFacts, ReportOptions, build_report
from kubectl_podtrace.report.render.json_export import JsonRenderer
from kubectl_podtrace.report.target import TargetInfo
from kubectl_podtrace.wire import codec
from kubectl_podtrace.wire.cost_records import Cost, Shed
from kubectl_podtrace.wire.records import Record
from kubectl_podtrace.wire.request import CgroupTarget
from podtrace_tracer.collectors import base
from podtrace_tracer.kernel import bpf_syscall
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import ask, remark
from tests.bpf.stream import Stream

pytestmark = pytest.mark.alone

SMALLEST_PPM = 1
"""Whatever tracing costs, it is more than that."""
BUSY = "import os\nwhile True: os.getppid(), os.stat('/')"
ENTERED = {f"on_{name}"[:15] for name in (*base.BY_EVENTS, "cpu_clock")}
"""Programs that are entered and do not hang on a raw tracepoint, by as much of their names as the kernel keeps."""
EMPTY = struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)
"""r0 = 0; exit"""


@pytest.fixture
def others_calls(opened: ExitStack) -> None:
    """A process that is not the target does nothing but system calls, so the probes of these are the noisiest."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    opened.callback(process.wait)
    opened.callback(process.kill)


@pytest.fixture
def empty_runs(opened: ExitStack) -> Callable[[], int]:
    """How often an empty program at the same tracepoint was to run since the kernel counts."""
    program, problem = bpf_syscall.load_program("empty", bpf_syscall.RAW_TRACEPOINT, EMPTY)
    assert program > 0, problem
    opened.callback(os.close, program)
    opened.callback(os.close, bpf_syscall.attach_raw_tracepoint("sys_enter", program))

    def runs() -> int:
        information = bpf_syscall.program_info(program, 232)
        assert information is not None
        # In struct bpf_prog_info: its runs, and those that the kernel left out.
        return sum(struct.unpack_from("=QQ", information, 200))

    return runs


@pytest.fixture
def measured_all_the_time() -> Iterator[None]:
    with statistics_on():
        yield


def sheds(what: str) -> Callable[[Record], bool]:
    return lambda record: isinstance(record, Shed) and what in record.lacks


@pytest.mark.usefixtures("others_calls")
def test_above_the_limit_the_noisiest_probes_go_one_after_the_other_and_what_they_counted_stays_exact(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path
) -> None:
    load = start_load("shed", str(shm), "3", cgroup=cgroup)
    request = ask(CgroupTarget(path=str(cgroup)), topics=("files", "cpu", "processes", "descriptors"))
    tracer = start_tracer(replace(request, max_overhead_ppm=SMALLEST_PPM))
    load.release()
    whole = load.claims()
    tracer.wait_for(sheds("reads"))
    load.release()
    without_transfers = load.claims()
    tracer.wait_for(sheds("opens"))
    tracer.wait_for(sheds("switches"))
    load.release()
    load.claims()
    load.finish()
    stream = tracer.stop()
    stream.assert_whole()
    counts = stream.counts()
    for name in ("files.read", "files.write"):
        assert counts[name] == whole.counts[name], name
    for name in ("files.open", "descriptors.close"):
        assert counts[name] == without_transfers.counts[name], name
    assert counts["processes.exit"].count == 1
    assert_partial(stream)


def assert_partial(stream: Stream) -> None:
    """The stream and the report say what was shed, and when."""
    told = {shed.lacks.split()[0].rstrip(","): shed for shed in stream.of(Shed)}
    transfers, others, cpu = told["reads"], told["opens"], told["switches"]
    assert stream.started_ns + 3 * 10**9 < transfers.shed_ns < others.shed_ns < stream.trailer.ended_ns
    assert (transfers.topics, cpu.topics) == (("files", "descriptors"), ("cpu",))
    assert all(shed.overhead_ppm > shed.limit_ppm == SMALLEST_PPM for shed in told.values())
    fold = Fold()
    for line in stream.lines:
        fold.feed(codec.encode(line))
    out, client = StringIO(), ClientFacts(version="0")
    JsonRenderer().render(build_report(fold, target=TargetInfo(), options=ReportOptions(), client=client), out)
    report = json.loads(out.getvalue())
    assert [part["lacks"] for part in report["files"]["partial"]] == [transfers.lacks, others.lacks]
    # The ends of system calls are where waits off the CPU get their stacks.
    of_cpu = sorted((others, cpu), key=lambda shed: shed.shed_ns)
    assert [part["lacks"] for part in report["cpu"]["partial"]] == [shed.lacks for shed in of_cpu]
    assert not report["trust"]["complete"]
    assert {tuple(shed["probes"]) for shed in report["cost"]["shed"]} == {shed.probes for shed in told.values()}


@pytest.mark.usefixtures("measured_all_the_time")
def test_a_program_s_runs_are_those_of_an_empty_one_and_programs_that_it_calls_are_part_of_it(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path, empty_runs: Callable[[], int]
) -> None:
    load = start_load("shed", str(shm), "1", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    # The empty program is read on both sides of the other one: what runs in between is in one of its numbers.
    first = (empty_runs(), costs_of(tracer.process.pid), empty_runs())
    load.release()
    claims = load.claims()
    last = (empty_runs(), costs_of(tracer.process.pid), empty_runs())
    tracer.stop().assert_whole()
    runs = {name: cost.runs - first[1][name].runs for name, cost in last[1].items()}
    # Programs that hang on a raw tracepoint have its name; where system calls come by trace events, their own.
    runs = {name.removeprefix("on_") if name in ENTERED else name: count for name, count in runs.items()}
    assert last[0] - first[2] <= runs["sys_enter"] <= last[2] - first[0]
    made = sum(claims.counts[name].count for name in ("files.read", "files.write", "files.open", "descriptors.close"))
    assert runs["sys_enter"] >= made
    called = {name: count for name, count in runs.items() if name.startswith("on_")}
    assert called
    assert not any(called.values()), called


@pytest.mark.usefixtures("measured_all_the_time", "others_calls")
def test_runs_that_are_estimated_from_samples_are_near_those_that_the_kernel_counted(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path, empty_runs: Callable[[], int]
) -> None:
    start_load("shed", str(shm), "1", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    runs, began_ns = empty_runs(), time.monotonic_ns()
    tracer.wait_for(lambda record: isinstance(record, Cost))
    counted_per_s = (empty_runs() - runs) * 1e9 / (time.monotonic_ns() - began_ns)
    cost = next(tracer.stop().of(Cost))
    (estimated,) = [row.runs for row in cost.rows if row.program == "raw_tracepoint:sys_enter"]
    estimated_per_s, measured = estimated * 1e9 / cost.wall_ns, cost.measured_ns / cost.wall_ns
    remark(f"{estimated_per_s:,.0f} runs/s estimated, {counted_per_s:,.0f} counted; {measured:.1%} measured")
    assert 0.05 < measured < 0.25
    # A sample of a tenth: what else runs on this machine changes from one second to the next.
    assert 0.5 < estimated_per_s / counted_per_s < 2
