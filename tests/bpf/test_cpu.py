"""CPU: switches as /proc/PID/status has them, waits by their cause, waits for a CPU, shares of it, throttling."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_podtrace.wire import histogram, records
from kubectl_podtrace.wire.cpu_records import CpuProcesses, CpuProcessRow, Throttling
from kubectl_podtrace.wire.request import CgroupTarget, ProcessTarget
from tests.bpf.conftest import StartLoad, StartTracer, hierarchy
from tests.bpf.harness import EMULATED, PATIENCE_S, Load, ask
from tests.bpf.stream import Stream

CAUSES = ("cpu.run_queue", "cpu.lock", "cpu.disk", "cpu.network", "cpu.sleep", "cpu.other")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
WAIT_MS = "80" if EMULATED else "3"
"""Long enough that it is not over before the thread that waits has left its CPU."""


def threads_of(pid: int) -> list[Path]:
    return sorted(Path(f"/proc/{pid}/task").iterdir())


def switches(pid: int, kind: str = "voluntary_ctxt_switches:") -> int:
    """Switches of all threads that are alive: voluntary and other ones, if the kind is not said."""
    fields = [line.split() for path in threads_of(pid) for line in (path / "status").read_text().splitlines()]
    return sum(int(words[1]) for words in fields if words[0].endswith(kind))


def waits_of(pid: int) -> int:
    """How often its threads left a CPU to wait, and not because another one was to run."""
    return switches(pid) - switches(pid, "nonvoluntary_ctxt_switches:")


def wait_until_idle(pid: int) -> None:
    """Until every thread sleeps, and has left its CPU for that."""
    end, before = time.monotonic() + PATIENCE_S, -1
    while time.monotonic() < end:
        states = {(path / "stat").read_text().rpartition(")")[2].split()[0] for path in threads_of(pid)}
        now = switches(pid)
        if states == {"S"} and now == before:
            return
        before = now
        os.sched_yield()
    raise AssertionError(f"{pid} does not come to rest")


def run_delay_ns(pid: int) -> int:
    """How long all threads waited for a CPU."""
    return sum(int((path / "schedstat").read_text().split()[1]) for path in threads_of(pid))


def cpu_ns(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // TICKS_PER_S


def processes(stream: Stream) -> dict[int, CpuProcessRow]:
    """The last row of each process, by its pid on the node."""
    return {row.node_pid: row for record in stream.of(CpuProcesses) for row in record.rows}


def assert_whole(stream: Stream) -> None:
    """The stream's parts agree: every wait has one cause, or one and the run queue."""
    stream.assert_whole()
    counts = stream.counts()
    for name in ("cpu.block", *CAUSES):
        rows = [row for row in stream.totals.values() if row.operation == name]
        assert sum(row.timed for row in rows) == sum(stream.buckets(name).values())
    if "cpu.block" in counts:
        block = stream.total("cpu.block")
        parts = [row for row in stream.totals.values() if row.operation in CAUSES]
        assert sum(row.sum_ns for row in parts) == block.sum_ns
        assert block.count <= sum(row.count for row in parts) <= 2 * block.count
        assert block.count <= counts["cpu.switch"].count
    assert sum(row.switches for row in processes(stream).values()) == counts["cpu.switch"].count
    run = stream.total("cpu.run")
    assert sum(row.on_cpu_ns for row in processes(stream).values()) == run.sum_ns
    assert sum(row.samples for row in processes(stream).values()) == run.count


def hold(load: Load) -> None:
    """Waits until it has done its work and rests."""
    load.claims()
    wait_until_idle(load.process.pid)


@pytest.mark.parametrize("matched_by", ["v2", "v1", "process"])
def test_switches_are_those_of_proc(
    run: int, matched_by: str, make_cgroup: object, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    cgroup = None if matched_by == "process" else make_cgroup(f"podtrace-test-{os.getpid()}", matched_by)  # type: ignore[operator]
    load = start_load("cpu", "threads", "997", cgroup=cgroup)
    pid = load.process.pid
    target = CgroupTarget(path=str(cgroup)) if cgroup else ProcessTarget(pid=pid)
    tracer = start_tracer(ask(target, topics=("cpu",)))
    wait_until_idle(pid)
    before = switches(pid)
    load.release()
    hold(load)
    stream = tracer.stop()
    assert_whole(stream)
    assert stream.counts()["cpu.switch"].count == switches(pid) - before
    assert switches(pid) - before > 3 * 997
    assert processes(stream)[pid].comm == "cpu"


def test_of_system_calls_only_the_ends_are_watched_for_cpu_alone(cgroup: Path, start_tracer: StartTracer) -> None:
    stream = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("cpu",))).stop()
    probes = {probe.name: probe for probe in stream.of(records.Probe)}
    names = probes.keys()
    assert {"raw_tracepoint:sched_switch", "raw_tracepoint:sched_wakeup", "perf_event:cpu_clock"} <= names
    assert [name for name in names if "sys_" in name] == ["raw_tracepoint:sys_exit"]
    assert not probes["raw_tracepoint:sys_exit"].required


@pytest.mark.parametrize("reads", [(), ("env", "PODTRACE_READS=helper")], ids=["loads", "helper"])
def test_each_wait_counts_under_its_cause(
    run: int, reads: tuple[str, ...], cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("cpu", "waits", WAIT_MS, cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("cpu",)), wrapper=reads)
    load.release()
    waits = load.claims().body["waits"]
    wait_until_idle(load.process.pid)
    stream = tracer.stop()
    assert_whole(stream)
    counts = stream.counts()
    found = {name: counts[name].count for name in CAUSES if name in counts and name != "cpu.run_queue"}
    assert found == {name: count for name, (count, _, _) in waits.items()}
    for name, (count, asked_ns, took_ns) in waits.items():
        row = stream.total(name)
        # The call itself begins before its thread leaves the CPU, and that on a busy machine by more than a moment.
        assert row.sum_ns <= took_ns
        assert histogram.percentile(stream.buckets(name), 0.5, row.max_ns) >= 0.9 * asked_ns / count


def test_the_wait_for_a_busy_cpu_is_that_of_proc(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("cpu", "spin", "700", "0", cgroup=cgroup)
    pid = load.process.pid
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("cpu",)))
    before = run_delay_ns(pid)
    load.release()
    hold(load)
    since_all_wait = run_delay_ns(pid)
    load.release()
    hold(load)
    stream = tracer.stop()
    assert_whole(stream)
    # The first wait of each thread began before the trace: what it waited for a CPU at its end is in /proc alone.
    most, least = run_delay_ns(pid) - before, run_delay_ns(pid) - since_all_wait
    # Where the kernel runs no programs while a certain task is current, nobody sees whom an interrupt of it woke: then
    # the one sleep of the load, of 700 ms, is longer by the wait for a CPU behind it.
    overslept = stream.total("cpu.sleep").sum_ns - 700_000_000
    assert least > 300_000_000
    assert 0.98 * least <= stream.total("cpu.run_queue").sum_ns + overslept <= 1.02 * most


def test_shares_of_a_cpu_are_within_two_points_of_proc(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("cpu", "shares", "1000", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("cpu",)))
    load.release()
    pids = load.claims().body["pids"]
    for pid in pids:
        wait_until_idle(pid)
    stream = tracer.stop()
    assert_whole(stream)
    seconds = (stream.trailer.ended_ns - stream.started_ns) / 1e9
    for pid in pids:
        # All that they ran was in the trace.
        row = processes(stream)[pid]
        assert row.on_cpu_ns / 1e9 / seconds == pytest.approx(cpu_ns(pid) / 1e9 / seconds, abs=0.02)
        assert row.samples / 99 / seconds == pytest.approx(row.on_cpu_ns / 1e9 / seconds, abs=0.1)


def test_a_thread_that_never_leaves_its_cpu_is_seen_running(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    if os.cpu_count() == 1:
        pytest.skip("the only CPU would be taken: that of the tracer too")
    load = start_load("cpu", "endless", cgroup=cgroup)
    pid = load.process.pid
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("cpu",)))
    before, since = cpu_ns(pid), time.monotonic_ns()
    load.release()
    load.claims()
    ran, seconds = cpu_ns(pid) - before, (time.monotonic_ns() - since) / 1e9
    stream = tracer.stop()
    load.close()
    assert_whole(stream)
    traced_s = (stream.trailer.ended_ns - stream.started_ns) / 1e9
    row = processes(stream)[pid]
    assert row.on_cpu_ns / 1e9 / traced_s == pytest.approx(ran / 1e9 / seconds, abs=0.02)


def on_disk(path: Path) -> bool:
    """Is there a block device behind it?"""
    return os.major(path.stat().st_dev) != 0


def test_waits_for_a_disk_are_all_that_direct_input_and_output_wait_for(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    if not on_disk(tmp_path):
        pytest.skip(f"{tmp_path} is on no disk")
    load = start_load("cpu", "disk", str(tmp_path / "file"), "101", cgroup=cgroup)
    pid = load.process.pid
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("cpu",)))
    wait_until_idle(pid)
    before = waits_of(pid)
    load.release()
    hold(load)
    the_last_rest = 1
    waited = waits_of(pid) - before - the_last_rest
    stream = tracer.stop()
    assert_whole(stream)
    counts = {name: stream.counts()[name].count for name in CAUSES if name in stream.counts()}
    counts.pop("cpu.run_queue", None)
    # A disk may have done it before its program sleeps, so there can be fewer waits than writes.
    assert set(counts) <= {"cpu.disk", "cpu.other"}
    assert sum(counts.values()) == waited
    assert counts["cpu.disk"] > 0.9 * waited > 0


@pytest.fixture
def limited(cgroup: Path) -> Iterator[Path]:
    """The directory with the CPU limit of the test's cgroup: a fifth of a CPU."""
    v2 = hierarchy("v2")
    controllers = (v2 / "cgroup.subtree_control").read_text().split() if v2 else []
    if "cpu" in controllers:
        (cgroup / "cpu.max").write_text("20000 100000")
        yield cgroup
        return
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    v1 = next(
        (Path(where) for _, where, kind, options, *_ in mounts if kind == "cgroup" and "cpu" in options.split(",")),
        None,
    )
    if v1 is None:
        pytest.skip("no cgroup hierarchy has the CPU controller")
    directory = v1 / cgroup.name
    directory.mkdir()
    (directory / "cpu.cfs_period_us").write_text("100000")
    (directory / "cpu.cfs_quota_us").write_text("20000")
    yield directory
    for _ in range(10_000):
        try:
            directory.rmdir()
        except OSError:
            os.sched_yield()
        else:
            return


def counters_at_rest(file: Path) -> dict[str, int]:
    """The counters of a cpu.stat, once two of its periods have brought no change."""
    before, since = file.read_text(), time.monotonic()
    while time.monotonic() - since < 0.25:
        time.sleep(0.01)
        if file.read_text() != before:
            before, since = file.read_text(), time.monotonic()
    return {name: int(value) for name, value in (line.split() for line in before.splitlines())}


def test_throttling_is_that_of_cpu_stat(
    cgroup: Path, limited: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("cpu", "spin", "900", "0", cgroup=cgroup)
    (limited / "cgroup.procs").write_text(str(load.process.pid))
    before = counters_at_rest(limited / "cpu.stat")
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("cpu",)))
    load.release()
    hold(load)
    load.release()
    hold(load)
    after = counters_at_rest(limited / "cpu.stat")
    stream = tracer.stop()
    load.close()
    assert_whole(stream)
    row = [row for record in stream.of(Throttling) for row in record.rows][-1]
    change = {name: after[name] - before[name] for name in after}
    assert change["nr_throttled"] > 0
    assert (row.periods, row.throttled) == (change["nr_periods"], change["nr_throttled"])
    total = change["throttled_usec"] * 1_000 if "throttled_usec" in change else change["throttled_time"]
    assert row.total_ns == total
