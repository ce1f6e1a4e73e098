"""Processes: forks, threads, executions and ends, with the statuses that their parent was told."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kubectl_podtrace.wire.lifecycle_records import Lifetimes
from kubectl_podtrace.wire.records import Exits
from kubectl_podtrace.wire.request import CgroupTarget, ProcessTarget
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import ENTER_CGROUP, PATIENCE_S, Claims, Load, Tracer, ask, assert_equal
from tests.bpf.stream import Stream


def assert_statuses(stream: Stream, claims: Claims) -> None:
    told = {(code, signal): count for code, signal, count in claims.body["statuses"]}
    told[0, 0] = told.get((0, 0), 0) + 1  # the load itself
    assert stream.exits == told


def run_to_its_end(load: Load, tracer: Tracer) -> tuple[Claims, Stream]:
    """What the load says that it did, its own end included, and what was traced of it."""
    load.release()
    claims = load.claims().with_exits(1)
    load.finish()
    return claims, tracer.stop()


def test_every_start_and_end_is_counted_as_waitpid_tells_it(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("processes", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("processes",)))
    claims, stream = run_to_its_end(load, tracer)
    assert_equal(stream, claims, topics=("processes",))
    assert_statuses(stream, claims)
    assert not [row for row in stream.processes.values() if row.alive]


def test_all_descendants_of_a_process_are_traced_whatever_their_cgroup(
    run: int, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("processes", cgroup=None)
    tracer = start_tracer(ask(ProcessTarget(pid=load.process.pid), topics=("processes",)))
    claims, stream = run_to_its_end(load, tracer)
    assert_equal(stream, claims, topics=("processes",))
    assert_statuses(stream, claims)


def test_each_end_is_an_event_with_its_status(cgroup: Path, start_load: StartLoad, start_tracer: StartTracer) -> None:
    load = start_load("processes", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("processes",), every_event=True))
    claims, stream = run_to_its_end(load, tracer)
    ends = stream.events("processes.exit")
    assert len(ends) == claims.counts["processes.exit"].count
    found: dict[tuple[int, int], int] = {}
    for event in ends:
        key = (event.result, event.signal)
        found[key] = found.get(key, 0) + 1
    assert found == stream.exits
    executions = stream.events("processes.exec")
    assert sum(event.errno == 0 for event in executions) == claims.counts["processes.exec"].count
    failures = {("processes.exec", event.errno) for event in executions if event.errno}
    assert failures == set(claims.errors)


def test_two_threads_that_end_at_once_end_their_process_once(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("twins", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("processes",)))
    claims, stream = run_to_its_end(load, tracer)
    assert_equal(stream, claims, topics=("processes",))
    assert stream.exits == {(0, 0): claims.counts["processes.exit"].count}


def test_processes_of_one_name_and_status_are_one_row_whatever_name_they_had_before(
    cgroup: Path, tmp_path: Path, start_tracer: StartTracer
) -> None:
    longer = tmp_path / "named-at-length"
    longer.symlink_to("/bin/sh")
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("processes",)))
    # The two subshells are copies of a process that was renamed; the last one was renamed itself.
    renamed = (str(longer), "-c", "exec sh -c '(exit 0); (exit 0); exit 0'")
    subprocess.run(["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *renamed], check=True, timeout=PATIENCE_S)
    stream = tracer.stop()
    stream.assert_whole()
    exits, lifetimes = list(stream.of(Exits))[-1].rows, list(stream.of(Lifetimes))[-1].rows
    assert [(row.comm, row.code, row.signal, row.count) for row in exits] == [("sh", 0, 0, 3)]
    assert [(row.comm, row.code, row.signal, row.count) for row in lifetimes] == [("sh", 0, 0, 3)]
