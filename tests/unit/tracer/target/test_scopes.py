from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_podtrace.wire.records import Scope
from podtrace_tracer.programs.program import MAX_SCOPES, ScopeMatch
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms

IDS = ["aa" * 32, "bb" * 32, "cc" * 32]


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """A pod's cgroup with two containers."""
    for container_id in IDS[:2]:
        add_container(tmp_path, container_id)
    return tmp_path


def add_container(pod: Path, container_id: str, pids: tuple[int, ...] = ()) -> int:
    """Makes a container's cgroup; returns the id by which the kernel knows it."""
    directory = pod / f"cri-containerd-{container_id}.scope"
    directory.mkdir(exist_ok=True)
    (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
    return directory.stat().st_ino


def target_of(pod: Path) -> Target:
    return Target(match=ScopeMatch(mode="helper", root_id=pod.stat().st_ino, level=2, per_child=True), directory=pod)


def test_the_containers_that_are_there_get_the_first_indices_and_the_programs_the_rest(pod: Path) -> None:
    programs = MemoryPrograms()
    scopes = Scopes(programs, target_of(pod))
    assert scopes.indices() == [0, 1]
    assert [scope.container_id for scope in scopes.records()] == IDS[:2]
    given = {
        int.from_bytes(key, "little"): int.from_bytes(value[0], "little")
        for key, value in programs.items("scope_of_cgroup")
    }
    assert given == {scope.cgroup_id: scope.index for scope in scopes.records()}
    assert programs.queues["free_scopes"] == list(range(2, MAX_SCOPES - 1))


def test_a_container_that_the_programs_met_later_is_named_once(pod: Path) -> None:
    programs = MemoryPrograms()
    scopes = Scopes(programs, target_of(pod))
    assert scopes.look() == []
    identifier = add_container(pod, IDS[2])
    programs.put("scope_of_cgroup", identifier, 2)
    (fresh,) = scopes.look()
    assert (fresh.index, fresh.cgroup_id, fresh.container_id) == (2, identifier, IDS[2])
    assert fresh.cgroup.endswith(f"cri-containerd-{IDS[2]}.scope")
    assert scopes.look() == []
    assert scopes.indices() == [0, 1, 2]


def test_a_container_that_has_gone_before_it_could_be_named_is_told_without_a_name(pod: Path) -> None:
    programs = MemoryPrograms()
    scopes = Scopes(programs, target_of(pod))
    programs.put("scope_of_cgroup", 123_456_789, 2)
    assert scopes.look() == [Scope(index=2, cgroup_id=123_456_789, cgroup="", container_id="")]


def test_a_container_that_has_gone_has_the_name_that_the_programs_kept(pod: Path) -> None:
    programs = MemoryPrograms()
    scopes = Scopes(programs, target_of(pod))
    programs.put("scope_of_cgroup", 123_456_789, 2)
    programs.put("scope_names", 2, programs.value("scope_names", text=IDS[2].encode()))
    assert scopes.look() == [Scope(index=2, cgroup_id=123_456_789, cgroup=IDS[2], container_id=IDS[2])]


def test_containers_beyond_the_table_share_its_last_index(pod: Path) -> None:
    programs = MemoryPrograms()
    scopes = Scopes(programs, target_of(pod))
    for index in range(2, MAX_SCOPES - 1):
        programs.put("scope_of_cgroup", 10**9 + index, index)
    found = scopes.look()
    assert found[-1] == Scope(index=MAX_SCOPES - 1, cgroup_id=0, cgroup="(further containers)", container_id="")
    assert scopes.indices() == list(range(MAX_SCOPES))


def test_a_process_s_scope_is_that_of_the_container_it_is_in(pod: Path) -> None:
    add_container(pod, IDS[1], pids=(41, 42))
    scopes = Scopes(MemoryPrograms(), target_of(pod))
    nested = next(path for path in pod.iterdir() if IDS[1] in path.name) / "worker"
    nested.mkdir()
    (nested / "cgroup.procs").write_text("43\n")
    found = scopes.by_pid()
    assert {pid: found.get(pid) for pid in (41, 42, 43, 4)} == {41: 1, 42: 1, 43: 1, 4: None}


def test_a_container_that_goes_away_while_it_is_looked_for_has_no_name(pod: Path) -> None:
    programs = MemoryPrograms()
    scopes = Scopes(programs, target_of(pod))
    for path in sorted(pod.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    pod.rmdir()
    programs.put("scope_of_cgroup", 10**9, 7)
    assert scopes.look() == [Scope(index=7, cgroup_id=10**9, cgroup="", container_id="")]


def test_a_target_that_is_no_pod_is_one_scope(tmp_path: Path) -> None:
    programs = MemoryPrograms()
    scopes = Scopes(programs, Target(match=ScopeMatch(mode="walk", root_id=77), directory=tmp_path))
    assert scopes.records() == [Scope(index=0, cgroup_id=77, cgroup=str(tmp_path), container_id="")]
    assert (scopes.indices(), scopes.look(), scopes.by_pid()) == ([0], [], {})
    assert programs.tables["scope_of_cgroup"] == {}
    processes = Scopes(programs, Target(match=ScopeMatch(mode="processes"), directory=None, pids=(5,)))
    assert processes.records() == [Scope(index=0, cgroup_id=0, cgroup="", container_id="")]
