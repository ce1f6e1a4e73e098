"""Scope: tasks of the target count, whichever hierarchy its cgroup is in and whenever they enter it; others do not."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from kubectl_podtrace.wire import records
from kubectl_podtrace.wire.request import CgroupTarget, PodTarget, TraceRequest
from kubectl_podtrace.wire.topics import EVERY_TOPIC
from tests.bpf.conftest import MakeCgroup, StartLoad, StartTracer
from tests.bpf.harness import PATIENCE_S, Load, Tracer, ask, assert_equal


@pytest.mark.parametrize("kind", ["v2", "v1"])
def test_tasks_in_and_below_the_cgroup_count_and_others_do_not(
    kind: str, make_cgroup: MakeCgroup, start_load: StartLoad, start_tracer: StartTracer, shm: Path
) -> None:
    outer = make_cgroup(f"podtrace-test-{os.getpid()}", kind)
    inner = make_cgroup(f"{outer.name}/below", kind)
    places = {"outer": outer, "inner": inner, "outside": None}
    for name in places:
        (shm / name).mkdir()
    loads = {name: start_load("files", str(shm / name), cgroup=place) for name, place in places.items()}
    tracer = start_tracer(ask(CgroupTarget(path=str(outer))))
    for load in loads.values():
        load.release()
    claims = {name: load.claims().with_exits(1) for name, load in loads.items()}
    for load in loads.values():
        load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims["outer"] + claims["inner"])
    assert not [path for path in stream.files if path.startswith(str(shm / "outside"))]


@pytest.mark.parametrize("kind", ["v2", "v1"])
def test_a_process_that_moves_into_the_cgroup_counts_from_then_on(
    kind: str, make_cgroup: MakeCgroup, start_load: StartLoad, start_tracer: StartTracer, shm: Path
) -> None:
    cgroup = make_cgroup(f"podtrace-test-{os.getpid()}", kind)
    load = start_load("files", str(shm), cgroup=None)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    (cgroup / "cgroup.procs").write_text(str(load.process.pid))
    load.release()
    claims = load.claims().with_exits(1)
    load.finish()
    assert_equal(tracer.stop(), claims)


def pod_cgroup(make_cgroup: MakeCgroup, uid: str, kind: str) -> Path:
    return make_cgroup(f"podtrace-test-{os.getpid()}/kubepods/burstable/pod{uid}", kind)


@pytest.mark.parametrize("kind", ["v2", "v1"])
def test_each_container_of_a_pod_is_a_scope_of_its_own_one_that_starts_later_too(
    kind: str, make_cgroup: MakeCgroup, start_load: StartLoad, start_tracer: StartTracer, shm: Path
) -> None:
    uid = str(uuid.uuid4())
    pod = pod_cgroup(make_cgroup, uid, kind)
    ids = [letter * 64 for letter in "abc"]

    def container(index: int) -> Load:
        directory = shm / str(index)
        directory.mkdir()
        place = make_cgroup(str(pod.relative_to(pod.parents[3]) / ids[index]), kind)
        load = start_load("files", *[str(directory)] * (index + 1), cgroup=None)
        # From outside: a process that enters by itself ends that write inside.
        (place / "cgroup.procs").write_text(str(load.process.pid))
        return load

    loads = [container(0), container(1)]
    tracer = start_tracer(ask(PodTarget(uid=uid)))
    loads.append(container(2))
    for load in loads:
        load.release()
    claims = [load.claims() for load in loads]
    for load in loads:
        load.finish()
    stream = tracer.stop()
    scopes = {scope.container_id: scope.index for scope in stream.of(records.Scope)}
    assert set(ids) <= set(scopes)
    for container_id, told in zip(ids, claims, strict=True):
        traced = stream.counts([scopes[container_id]])
        for name in ("files.read", "files.write", "files.open", "files.rename", "files.unlink", "files.fsync"):
            assert traced[name] == told.counts[name], (container_id[0], name)
        assert traced["processes.exit"].count == 1


def test_only_what_is_asked_for_is_attached_and_counted(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path
) -> None:
    load = start_load("files", str(shm), cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("files",)))
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims, topics=("files",))
    counted = {row.operation.split(".")[0] for row in stream.totals.values() if row.count > 0}
    assert counted == {"files"}
    assert {probe.topic for probe in stream.of(records.Probe)} == {"files", EVERY_TOPIC}


def test_the_trace_ends_by_itself_after_its_duration(cgroup: Path, start_tracer: StartTracer) -> None:
    tracer: Tracer = start_tracer(TraceRequest(target=CgroupTarget(path=str(cgroup)), duration_ns=1_500_000_000))
    stream = tracer.wait()
    stream.assert_whole()
    traced_ns = stream.trailer.ended_ns - stream.started_ns
    assert 1_500_000_000 <= traced_ns < PATIENCE_S * 1_000_000_000
