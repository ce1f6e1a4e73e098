"""Lifetimes of processes as their parents measure them, and processes that the kernel kills for memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubectl_podtrace.wire.lifecycle_records import OOM, LifetimeRow, Lifetimes
from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import MakeCgroup, StartLoad, StartTracer, hierarchy
from tests.bpf.harness import ENTER_CGROUP, PATIENCE_S, ask
from tests.bpf.stream import Stream
from tests.bpf.test_processes import run_to_its_end


def lifetimes(stream: Stream) -> dict[tuple[str, int, int], LifetimeRow]:
    """The last row of each name and status."""
    return {(row.comm, row.code, row.signal): row for record in stream.of(Lifetimes) for row in record.rows}


def test_lifetimes_add_up_to_the_exits_by_program_and_status(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("processes", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("processes",)))
    claims, stream = run_to_its_end(load, tracer)
    rows, total = lifetimes(stream), stream.total("processes.exit")
    by_status: dict[tuple[int, int], int] = {}
    for (_, code, signal), row in rows.items():
        by_status[code, signal] = by_status.get((code, signal), 0) + row.count
    assert by_status == stream.exits
    assert sum(row.count for row in rows.values()) == total.timed == claims.counts["processes.exit"].count
    assert sum(row.lifetime_ns for row in rows.values()) == total.sum_ns
    assert max(row.longest_ns for row in rows.values()) == total.max_ns
    assert {row.oom_kills for row in rows.values()} == {0}


def test_a_lifetime_is_the_time_that_its_parent_measured(run: int, cgroup: Path, start_tracer: StartTracer) -> None:
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("processes",)))
    measured = []
    for seconds in ("0.1", "0.4", "0.7"):
        begin = time.monotonic_ns()
        command = ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), "sleep", seconds]
        subprocess.run(command, check=True, timeout=PATIENCE_S)
        measured.append((float(seconds) * 1e9, time.monotonic_ns() - begin))
    stream = tracer.stop()
    stream.assert_whole()
    row = lifetimes(stream)["sleep", 0, 0]
    assert row.count == 3
    assert sum(asked for asked, _ in measured) <= row.lifetime_ns <= sum(took for _, took in measured)
    assert measured[-1][0] <= row.longest_ns <= measured[-1][1]
    assert measured[-1][0] <= row.last_ns - row.first_ns <= sum(took for _, took in measured)


EATER = "data = []\nwhile True: data.append(b'x' * 1_000_000)"


def limited_cgroup(make_cgroup: MakeCgroup) -> tuple[Path, Path]:
    """A cgroup to trace, and the one of the memory controller that limits its processes to 64 MB."""
    name = f"podtrace-test-memory-{os.getpid()}"
    root = hierarchy("v2")
    if root is not None and "memory" in (root / "cgroup.controllers").read_text().split():
        (root / "cgroup.subtree_control").write_text("+memory")
        cgroup = make_cgroup(name)
        (cgroup / "memory.max").write_text("64M")
        return cgroup, cgroup
    memory = Path("/sys/fs/cgroup/memory")
    if not memory.is_dir():
        pytest.skip("no cgroup hierarchy here has a memory controller")
    cgroup = make_cgroup(name)
    limited = memory / name
    limited.mkdir()
    (limited / "memory.limit_in_bytes").write_text("64M")
    return cgroup, limited


def oom_kills_told(limited: Path) -> int:
    """By the controller's own count."""
    for name in ("memory.events", "memory.oom_control"):
        if (limited / name).exists():
            fields = dict(line.split() for line in (limited / name).read_text().splitlines())
            return int(fields["oom_kill"])
    raise AssertionError(f"{limited} counts no kills")


def kill_a_sleeper(command: list[str]) -> None:
    """Kills it once it runs the last program that its command names."""
    sleeper = subprocess.Popen(command)
    name = Path(f"/proc/{sleeper.pid}/comm")
    while name.read_text() != "sleep\n":
        os.sched_yield()
    sleeper.kill()
    sleeper.wait()


def test_who_was_killed_for_memory_is_told_from_who_was_killed(
    run: int, make_cgroup: MakeCgroup, start_tracer: StartTracer
) -> None:
    cgroup, limited = limited_cgroup(make_cgroup)
    try:
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("processes",), every_event=True))
        enter = f'echo $$ > "{limited}/cgroup.procs" && echo $$ > "{cgroup}/cgroup.procs" && exec "$@"'
        for _ in range(3):
            eater = subprocess.run(["sh", "-c", enter, "sh", sys.executable, "-c", EATER], check=False)
            assert eater.returncode == -9
        for _ in range(2):
            kill_a_sleeper(["sh", "-c", enter, "sh", "sleep", "1000"])
        assert oom_kills_told(limited) == 3
        stream = tracer.stop()
    finally:
        if limited != cgroup:
            limited.rmdir()
    stream.assert_whole()
    rows = [row for row in lifetimes(stream).values() if row.signal == 9]
    assert sum(row.count for row in rows) == 5
    assert {(row.comm == "sleep", row.oom_kills) for row in rows} == {(True, 0), (False, 3)}
    ends = [event for event in stream.events("processes.exit") if event.signal == 9]
    assert sorted((event.comm == "sleep", event.name) for event in ends) == [(False, OOM)] * 3 + [(True, "")] * 2
