from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget, PodTarget, ProcessTarget, TraceRequest
from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.refusal import RefusedError
from podtrace_tracer.target.scope import Target, container_id, find, find_again
from tests.unit.tracer.btf_blob import BtfBlob

UID = "0f6ab0ca-95a1-4c51-9b9c-5f4f5b9fb1c2"
SLICE = "kubepods-burstable-pod0f6ab0ca_95a1_4c51_9b9c_5f4f5b9fb1c2.slice"
ID = "4e" * 32
ROOT_FILES = ("cgroup.controllers", "cgroup.procs")


@pytest.fixture(scope="module")
def btf() -> Btf:
    """A kernel that names two of its cgroup controllers."""
    blob = BtfBlob()
    blob.enum("cgroup_subsys_id", [("cpuset_cgrp_id", 0), ("cpu_cgrp_id", 1), ("io_cgrp_id", 3), ("pids_cgrp_id", 10)])
    return Btf.parse(blob.to_bytes())


class Node:
    """A directory that stands for a node's root, with cgroups as a test needs them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cgroups = root / "sys/fs/cgroup"
        self.namespace = root / "proc/self/ns/pid"
        for directory in (self.cgroups, self.namespace.parent):
            directory.mkdir(parents=True)
        self.namespace.touch()

    @property
    def host(self) -> Host:
        return Host(root=self.root, release="6.1.0", machine="x86_64", is_root=True)

    def hierarchy(self, name: str = "", *, v2: bool, is_namespace: bool = False) -> None:
        files = [*(ROOT_FILES if v2 else ROOT_FILES[1:]), *(["cgroup.type"] if is_namespace else [])]
        (self.cgroups / name).mkdir(exist_ok=True)
        for file in files:
            (self.cgroups / name / file).touch()

    def cgroup(self, path: str, pids: tuple[int, ...] = ()) -> Path:
        directory = self.cgroups / path
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        return directory

    def process(self, pid: int, children: dict[int, tuple[int, ...]]) -> None:
        """A process with threads (by id) and the children that each of them has."""
        for thread, born in children.items():
            place = self.root / f"proc/{pid}/task/{thread}"
            place.mkdir(parents=True, exist_ok=True)
            (place / "children").write_text("".join(f"{child} " for child in born))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def find_pod(node: Node, btf: Btf, *, has_helper: bool = True, uid: str = UID) -> Target:
    return find(TraceRequest(target=PodTarget(uid=uid)), node.host, btf, has_helper=has_helper)


def find_cgroup(node: Node, btf: Btf, path: str, *, has_helper: bool = True) -> Target:
    return find(TraceRequest(target=CgroupTarget(path=path)), node.host, btf, has_helper=has_helper)


def slug_of(node: Node, btf: Btf, request: TraceRequest) -> str:
    with pytest.raises(RefusedError) as caught:
        find(request, node.host, btf, has_helper=True)
    return caught.value.record.slug


@pytest.mark.parametrize(
    ("pod", "level"),
    [
        (f"kubepods.slice/kubepods-burstable.slice/{SLICE}", 3),
        (f"kubepods.slice/{SLICE.replace('-burstable', '')}", 2),
        (f"kubepods/besteffort/pod{UID}", 3),
        (f"kubelet.slice/kubelet-kubepods.slice/kubelet-{SLICE}", 3),
        (f"kubelet/kubepods/burstable/pod{UID}", 4),
    ],
)
def test_a_pod_is_found_by_its_uid_under_either_driver_s_names(node: Node, btf: Btf, pod: str, level: int) -> None:
    node.hierarchy(v2=True)
    directory = node.cgroup(pod)
    node.cgroup(f"{pod}/{ID}", (41, 7))
    node.cgroup("kubepods.slice/kubepods-podffffffff_95a1_4c51_9b9c_5f4f5b9fb1c2.slice", (99,))
    target = find_pod(node, btf)
    assert target.directory == directory
    assert target.match.mode == "helper"
    assert (target.match.level, target.match.root_id) == (level, directory.stat().st_ino)
    assert (target.match.per_child, target.match.subsystem) == (True, None)
    assert target.members() == (7, 41)


def test_a_static_pod_is_found_by_its_hash(node: Node, btf: Btf) -> None:
    node.hierarchy(v2=True)
    directory = node.cgroup(f"kubepods.slice/kubepods-pod{'ab' * 16}.slice", (5,))
    assert find_pod(node, btf, uid="ab" * 16).directory == directory


def test_a_pod_s_containers_are_the_cgroups_right_below_it(node: Node, btf: Btf) -> None:
    node.hierarchy(v2=True)
    pod = f"kubepods.slice/{SLICE}"
    first = node.cgroup(f"{pod}/cri-containerd-{ID}.scope", (3,))
    second = node.cgroup(f"{pod}/crio-{'0a' * 32}.scope")
    node.cgroup(f"{pod}/cri-containerd-{ID}.scope/init.scope", (4,))
    target = find_pod(node, btf)
    assert set(target.containers()) == {first, second}
    assert target.members() == (3, 4)


def test_without_the_kernel_s_helper_ancestors_are_walked(node: Node, btf: Btf) -> None:
    node.hierarchy(v2=True)
    node.cgroup(f"kubepods.slice/{SLICE}", (3,))
    assert find_pod(node, btf, has_helper=False).match.mode == "walk"


def test_below_a_cgroup_namespace_the_level_is_not_known(node: Node, btf: Btf) -> None:
    node.hierarchy(v2=True, is_namespace=True)
    directory = node.cgroup(f"kubelet.slice/kubelet-kubepods.slice/kubelet-{SLICE}", (3,))
    match = find_pod(node, btf).match
    assert (match.mode, match.level, match.root_id) == ("walk", None, directory.stat().st_ino)


def test_a_v1_node_s_pod_is_matched_in_a_hierarchy_that_the_kernel_names(node: Node, btf: Btf) -> None:
    for name in ("cpu,cpuacct", "pids"):
        node.hierarchy(name, v2=False)
        node.cgroup(f"{name}/kubepods/pod{UID}/{ID}", (8,))
    target = find_pod(node, btf)
    assert target.directory == node.cgroups / f"pids/kubepods/pod{UID}"
    assert (target.match.mode, target.match.level, target.match.subsystem) == ("walk", 2, 10)


@pytest.mark.parametrize(("name", "number"), [("cpu,cpuacct", 1), ("blkio", 3)])
def test_a_v1_hierarchy_s_number_is_that_of_its_first_controller(node: Node, btf: Btf, name: str, number: int) -> None:
    node.hierarchy(name, v2=False)
    node.cgroup(f"{name}/job", (8,))
    assert find_cgroup(node, btf, "/job").match.subsystem == number


def test_a_v1_hierarchy_that_the_kernel_does_not_name_is_refused(node: Node, btf: Btf) -> None:
    node.hierarchy("memory", v2=False)
    node.cgroup("memory/job")
    assert slug_of(node, btf, TraceRequest(target=CgroupTarget(path="/job"))) == "cgroup"


def test_on_a_hybrid_node_the_empty_directory_in_the_unified_hierarchy_is_passed_over(node: Node, btf: Btf) -> None:
    node.hierarchy("unified", v2=True)
    node.hierarchy("pids", v2=False)
    node.cgroup(f"unified/kubepods/pod{UID}/{ID}")
    node.cgroup(f"pids/kubepods/pod{UID}/{ID}", (8,))
    target = find_pod(node, btf)
    assert target.directory == node.cgroups / f"pids/kubepods/pod{UID}"
    assert target.match.subsystem == 10


def test_on_a_hybrid_node_the_unified_hierarchy_is_taken_where_the_pod_is_in_it(node: Node, btf: Btf) -> None:
    node.hierarchy("unified", v2=True)
    node.hierarchy("pids", v2=False)
    for hierarchy in ("unified", "pids"):
        node.cgroup(f"{hierarchy}/kubepods/pod{UID}/{ID}", (8,))
    target = find_pod(node, btf)
    assert target.directory == node.cgroups / f"unified/kubepods/pod{UID}"
    assert (target.match.mode, target.match.level, target.match.subsystem) == ("helper", 2, None)


def test_a_pod_between_two_containers_is_found_all_the_same(node: Node, btf: Btf) -> None:
    node.hierarchy(v2=True)
    directory = node.cgroup(f"kubepods/pod{UID}")
    assert find_pod(node, btf).directory == directory


def test_a_pod_that_is_not_on_the_node_is_refused(node: Node, btf: Btf) -> None:
    node.hierarchy(v2=True)
    assert slug_of(node, btf, TraceRequest(target=PodTarget(uid=UID))) == "no-cgroup"


def test_a_cgroup_is_named_by_its_directory_or_by_its_path_in_a_hierarchy(node: Node, btf: Btf) -> None:
    node.hierarchy(v2=True)
    directory = node.cgroup("user.slice/job", (9,))
    node.cgroup("user.slice/job/deeper", (10,))
    for path in (str(directory), f"{directory}/deeper/../", "/user.slice/job", "user.slice/job/", "user.slice/./job"):
        target = find_cgroup(node, btf, path)
        assert (target.directory, target.match.level, target.match.per_child) == (directory, 2, False)
        assert (target.members(), target.containers()) == ((9, 10), ())


@pytest.mark.parametrize(("path", "slug"), [("/nowhere", "no-cgroup"), ("/", "cgroup"), ("/../../..", "no-cgroup")])
def test_what_is_no_cgroup_below_a_hierarchy_is_refused(node: Node, btf: Btf, path: str, slug: str) -> None:
    node.hierarchy(v2=True)
    assert slug_of(node, btf, TraceRequest(target=CgroupTarget(path=path))) == slug


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (f"cri-containerd-{ID}.scope", ID),
        (f"crio-{ID}.scope", ID),
        (f"docker-{ID}.scope", ID),
        (f"a/b/{ID}", ID),
        (f"crio-conmon-{ID}.scope", ID),
        (SLICE, ""),
        (f"pod{UID}", ""),
        ("init.scope", ""),
        ("", ""),
    ],
)
def test_a_container_s_id_is_in_its_cgroup_s_name(name: str, found: str) -> None:
    assert container_id(name) == found


INITIAL_NAMESPACE = 0xEFFFFFFC


class NodeItself(Host):
    """A node whose tracer is in the initial pid namespace, which no file of a test can have the number of."""

    def pid_namespace(self, pid: int | str = "self") -> int:  # noqa: ARG002 - the node's own is asked for
        return INITIAL_NAMESPACE


def test_a_process_is_found_with_the_descendants_of_all_its_threads(node: Node, btf: Btf) -> None:
    node.process(10, {10: (20,), 11: (30, 31)})
    node.process(20, {20: ()})
    node.process(30, {30: (40,)})
    host = NodeItself(root=node.root, release="6.1.0", machine="x86_64", is_root=True)
    target = find(TraceRequest(target=ProcessTarget(pid=10)), host, btf, has_helper=True)
    assert target.match.mode == "processes"
    assert target.match.pid_namespace == INITIAL_NAMESPACE
    assert sorted(target.members()) == [10, 20, 30, 31, 40]
    assert (target.directory, target.containers()) == (None, ())
    node.process(40, {40: (50,)})
    assert 50 in find_again(target, host)


def test_a_process_by_its_pid_is_refused_inside_a_pid_namespace_and_where_there_is_none(node: Node, btf: Btf) -> None:
    request = TraceRequest(target=ProcessTarget(pid=10))
    assert slug_of(node, btf, request) == "no-process"
    node.process(10, {10: ()})
    assert slug_of(node, btf, request) == "nested"
