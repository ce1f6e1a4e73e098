"""Finding the target on the node: its cgroup, its containers, its processes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kubectl_podtrace.wire.request import CgroupTarget, PodTarget, ProcessTarget, TraceRequest
from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.program import ScopeMatch
from podtrace_tracer.refusal import RefusedError

MEMBER_INSIDE: Final = 1  # of the MEMBER_ constants of include/scope.bpf.h
V1_HIERARCHIES: Final = ("pids", "memory", "freezer", "cpu", "cpu,cpuacct", "cpuset", "devices", "blkio")
_INITIAL_PID_NAMESPACE: Final = 0xEFFFFFFC  # PROC_PID_INIT_INO in include/linux/proc_ns.h
_CONTAINER_ID: Final = re.compile(r"(?:^|-)([0-9a-f]{32,})(?:\.scope)?$")


@dataclass(frozen=True, kw_only=True)
class Target:
    """The target as found. `directory` is its cgroup (None: a set of processes, which starts with `pids`)."""

    match: ScopeMatch
    directory: Path | None
    pids: tuple[int, ...] = field(default=())

    def members(self) -> tuple[int, ...]:
        """The processes that are in the target now, as the tracer's /proc numbers them."""
        if self.directory is None:
            return self.pids
        return pids_below(self.directory)

    def containers(self) -> tuple[Path, ...]:
        """The cgroups of its containers (a target that is no pod has none)."""
        if self.directory is None or not self.match.per_child:
            return ()
        try:
            return tuple(sorted(path for path in self.directory.iterdir() if path.is_dir()))
        except OSError:
            return ()  # the pod has gone


def pids_below(directory: Path) -> tuple[int, ...]:
    """The processes in a cgroup and the ones below it."""
    return tuple(sorted({pid for below in _below(directory) for pid in _pids(below)}))


def container_id(cgroup: str) -> str:
    """The container id in the name of a cgroup, as the runtimes write it; empty if there is none.

    >>> container_id("cri-containerd-" + "0f" * 32 + ".scope") == "0f" * 32
    True
    """
    found = _CONTAINER_ID.search(cgroup.rsplit("/", 1)[-1])
    return found.group(1) if found else ""


def find(request: TraceRequest, host: Host, btf: Btf, *, has_helper: bool) -> Target:
    """The target of a request. Raises RefusedError when it is not on this node."""
    namespace = host.pid_namespace()
    match request.target:
        case ProcessTarget(pid=pid):
            if not host.has_process(pid):
                raise RefusedError("no-process", f"there is no process {pid}", "")
            if namespace != _INITIAL_PID_NAMESPACE:
                raise RefusedError("nested", "a process by its pid cannot be found from inside a pid namespace", "")
            pids = (pid, *_descendants(host, pid))
            return Target(match=ScopeMatch(mode="processes", pid_namespace=namespace), directory=None, pids=pids)
        case CgroupTarget(path=path):
            return _cgroup_target(_cgroup_directory(host, path), host, btf, has_helper=has_helper, per_child=False)
        case PodTarget(uid=uid):
            return _cgroup_target(_pod_directory(host, uid), host, btf, has_helper=has_helper, per_child=True)


def _cgroup_target(directory: Path, host: Host, btf: Btf, *, has_helper: bool, per_child: bool) -> Target:
    hierarchy = hierarchy_of(host, directory)
    is_v2 = (hierarchy / "cgroup.controllers").exists()
    # The root of a hierarchy has no type; a root with one is that of a cgroup namespace, somewhere below.
    is_whole = not is_v2 or not (hierarchy / "cgroup.type").exists()
    level = len(directory.relative_to(hierarchy).parts) if is_whole else None
    subsystem = None
    if not is_v2:
        name = hierarchy.name.split(",")[0]
        subsystem = btf.enum_value("cgroup_subsys_id", {"blkio": "io_cgrp_id"}.get(name, f"{name}_cgrp_id"))
        if subsystem is None:
            raise RefusedError("cgroup", f"the kernel does not name the cgroup hierarchy {hierarchy.name}", "")
    match = ScopeMatch(
        mode="helper" if is_v2 and level is not None and has_helper else "walk",
        root_id=directory.stat().st_ino,
        level=level,
        per_child=per_child,
        subsystem=subsystem,
        pid_namespace=host.pid_namespace(),
    )
    return Target(match=match, directory=directory)


def hierarchies(host: Host) -> list[Path]:
    """Where cgroups are mounted: v2 first."""
    candidates = [host.cgroups, host.cgroups / "unified"]
    v2 = [path for path in candidates if (path / "cgroup.controllers").exists()]
    return v2 + [host.cgroups / name for name in V1_HIERARCHIES if (host.cgroups / name / "cgroup.procs").exists()]


def hierarchy_of(host: Host, directory: Path) -> Path:
    """The hierarchy that a cgroup is in. Raises RefusedError when it is in none, or is the root of one."""
    holding = [path for path in hierarchies(host) if directory.is_relative_to(path)]
    if not holding or directory in holding:
        raise RefusedError("cgroup", f"{directory} is not a cgroup below {host.cgroups}", "")
    return max(holding, key=lambda path: len(path.parts))


def _cgroup_directory(host: Host, path: str) -> Path:
    # Without `..`, because the depth in the hierarchy is read off the path. Links stay: v1 has `cpu` for `cpu,cpuacct`.
    candidates = [Path(path), *(hierarchy / path.lstrip("/") for hierarchy in hierarchies(host))]
    wanted = [Path(os.path.normpath(candidate)) for candidate in candidates]
    wanted = [candidate for candidate in wanted if candidate.is_relative_to(host.cgroups)]
    found = next((directory for directory in wanted if directory.is_dir()), None)
    if found is None:
        raise RefusedError(
            "no-cgroup", f"there is no cgroup {path}", f"the cgroups of this machine are below {host.cgroups}"
        )
    return found


def _pod_directory(host: Host, uid: str) -> Path:
    """The pod's cgroup, in the v2 hierarchy where the pod really is in it."""
    found = [path for path in (_find_pod(hierarchy, uid) for hierarchy in hierarchies(host)) if path]
    if not found:
        raise RefusedError(
            "no-cgroup",
            f"the pod's cgroup was not found on the node (pod UID {uid})",
            "is the pod still running, and is the node's /sys/fs/cgroup mounted into the tracer pod?",
        )
    return next((path for path in found if any(_pids(below) for below in _below(path))), found[0])


def _find_pod(hierarchy: Path, uid: str) -> Path | None:
    names = {f"pod{uid}", f"pod{uid.replace('-', '_')}"}
    for directory, children, _ in os.walk(hierarchy):
        for child in children:
            if child in names or child.removesuffix(".slice").rsplit("-", 1)[-1] in names:
                return Path(directory) / child
    return None


def _below(directory: Path) -> Iterator[Path]:
    for path, _, _ in os.walk(directory):
        yield Path(path)


def _pids(directory: Path) -> list[int]:
    try:
        return [int(line) for line in (directory / "cgroup.procs").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _descendants(host: Host, pid: int) -> list[int]:
    try:
        threads = list((host.proc / str(pid) / "task").iterdir())
        children = [
            int(child) for thread in threads for child in (thread / "children").read_text(encoding="ascii").split()
        ]
    except OSError:
        return []
    return children + [deeper for child in children for deeper in _descendants(host, child)]


def find_again(target: Target, host: Host) -> tuple[int, ...]:
    """The descendants that the processes of a target have by now."""
    return tuple(child for pid in target.pids for child in _descendants(host, pid))
