"""Process ids: as in the process's own namespace, with the tracer's view beside, whichever namespace that is in."""

from __future__ import annotations

from pathlib import Path

from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import Load, Tracer, ask, assert_equal

NEST = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def child_of(pid: int) -> int:
    """The only child of a process."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def pids(path: str) -> list[int]:
    """A process's ids, from this namespace inwards."""
    line = next(x for x in Path(path).read_text().splitlines() if x.startswith("NSpid:"))
    return [int(number) for number in line.split()[1:]]


def test_a_process_in_a_namespace_of_its_own_is_shown_by_its_inner_pid(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path
) -> None:
    load = start_load("files", str(shm), cgroup=cgroup, wrapper=NEST)
    outer = child_of(load.process.pid)
    assert pids(f"/proc/{outer}/status") == [outer, 1]
    topics = ("files", "processes")  # unshare closes its own descriptors
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=topics, every_event=True))
    load.release()
    claims = load.claims().with_exits(2)  # unshare ends too
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims, topics=topics)
    (row,) = [row for row in stream.processes.values() if row.comm == "files"]
    assert (row.pid, row.node_pid) == (1, outer)
    assert {(event.pid, event.node_pid) for event in stream.events("files.read")} == {(1, outer)}


def nested_tracer(start_tracer: StartTracer, cgroup: Path) -> tuple[Tracer, int]:
    """The tracer as on a node that is a container, with a /proc of its own; and the first process of its namespace."""
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), every_event=True), wrapper=NEST)
    return tracer, child_of(tracer.process.pid)


def test_a_tracer_in_a_namespace_of_its_own_names_pids_as_its_own_proc_does(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path
) -> None:
    tracer, node = nested_tracer(start_tracer, cgroup)
    inside = ("nsenter", "-t", str(node), "-p", "-m", "--")
    own: Load = start_load("files", str(shm), cgroup=cgroup, wrapper=(*inside, *NEST))
    # nsenter forks into the namespace, unshare into a deeper one.
    middle = child_of(own.process.pid)
    inner = child_of(middle)
    seen = pids(f"/proc/{inner}/status")
    assert seen == [inner, seen[1], 1]
    own.release()
    own.claims()
    own.finish()
    stream = tracer.stop()
    stream.assert_whole()
    rows = [row for row in stream.processes.values() if row.comm == "files"]
    assert [(row.pid, row.node_pid) for row in rows] == [(1, seen[1])]
    own_reads = {(event.pid, event.node_pid) for event in stream.events("files.read") if event.comm == "files"}
    assert own_reads == {(1, seen[1])}
