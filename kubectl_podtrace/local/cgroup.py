"""A cgroup for one command, in whatever hierarchy of this machine allows one."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kubectl_podtrace.errors import LocalModeError

_V1_CONTROLLERS: Final = ("pids", "freezer", "devices", "memory", "cpu", "cpuacct", "blkio")
"""In order of preference: by how little being in a group of one's own changes. cpuset is no choice: it starts empty."""

_CGROUP_HINT: Final = "a directory below /sys/fs/cgroup; of a process: cat /proc/PID/cgroup"

_REMOVAL_TRIES: Final = 50
_REMOVAL_PAUSE_S: Final = 0.01


def has_processes(directory: Path) -> bool:
    """Whether there is a process in a cgroup, or in one below it."""
    for path, _, _ in os.walk(directory):
        try:
            if (Path(path) / "cgroup.procs").read_text(encoding="ascii").strip():
                return True
        except OSError:
            continue  # gone meanwhile
    return False


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """One mounted hierarchy: where, what the mount's top is within it, and its controllers (none: version 2)."""

    mount_point: Path
    root: str
    controllers: frozenset[str]

    @property
    def is_v2(self) -> bool:
        """Whether it is the unified one."""
        return not self.controllers

    def directory(self, cgroup: str) -> Path | None:
        """Where a cgroup of this hierarchy is seen; None when it is outside of what is mounted."""
        relative = os.path.relpath(cgroup, self.root)
        if relative.startswith(".."):
            return None
        return self.mount_point / relative


def read_hierarchies(mountinfo: str) -> tuple[Hierarchy, ...]:
    """The hierarchies in the text of /proc/self/mountinfo, version 2 first, then by preference."""
    found = [hierarchy for line in mountinfo.splitlines() if (hierarchy := _hierarchy(line)) is not None]
    return tuple(sorted(found, key=_preference))


def _hierarchy(line: str) -> Hierarchy | None:
    before, _, after = line.partition(" - ")
    fields, kinds = before.split(), after.split()
    if len(fields) < 6 or len(kinds) < 3 or kinds[0] not in {"cgroup", "cgroup2"}:
        return None
    controllers = frozenset() if kinds[0] == "cgroup2" else frozenset(kinds[2].split(","))
    return Hierarchy(mount_point=Path(_unescaped(fields[4])), root=_unescaped(fields[3]), controllers=controllers)


def _preference(hierarchy: Hierarchy) -> int:
    if hierarchy.is_v2:
        return -1
    ranks = [rank for rank, name in enumerate(_V1_CONTROLLERS) if name in hierarchy.controllers]
    return min(ranks, default=len(_V1_CONTROLLERS))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def parents(hierarchies: Sequence[Hierarchy], own: str) -> Iterator[Path]:
    """Directories in which a cgroup may be made, best first; `own` is the text of /proc/self/cgroup.

    In the unified hierarchy ours comes first, so that the limits that hold for us hold for the command.
    """
    for hierarchy in hierarchies:
        if not hierarchy.is_v2 and not hierarchy.controllers & set(_V1_CONTROLLERS):
            continue
        here = hierarchy.directory(_own_cgroup(own, hierarchy))
        if here is not None:
            yield here
        if here != hierarchy.mount_point:
            yield hierarchy.mount_point


def _own_cgroup(own: str, hierarchy: Hierarchy) -> str:
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        if set(filter(None, names.split(","))) & hierarchy.controllers or (not names and hierarchy.is_v2):
            return path
    return hierarchy.root


@dataclass(frozen=True, kw_only=True)
class CommandCgroup:
    """A cgroup that we made, with the command in it."""

    path: Path

    def remove(self) -> int:
        """Remove it, and say how many processes were still in it: they run on, one level higher."""
        moved = sum(_move_all(directory, self.path.parent) for directory in _from_below(self.path))
        for _ in range(_REMOVAL_TRIES):
            if self._removed():
                break
            # A process that has just ended leaves its cgroup a moment later.
            time.sleep(_REMOVAL_PAUSE_S)
        return moved

    def _removed(self) -> bool:
        try:
            for directory in _from_below(self.path):
                directory.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


def create(directories: Iterator[Path], name: str, pid: int) -> CommandCgroup | None:
    """Make a cgroup with the process in it, in the first directory that allows it; None when none does."""
    for directory in directories:
        cgroup = CommandCgroup(path=directory / name)
        try:
            cgroup.path.mkdir()
        except OSError:
            continue
        try:
            (cgroup.path / "cgroup.procs").write_text(f"{pid}\n", encoding="ascii")
        except OSError:
            cgroup.remove()
            continue
        return cgroup
    return None


def mounted_hierarchies() -> tuple[Hierarchy, ...]:
    """Those of this machine, as far as we see it."""
    return read_hierarchies(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))


def create_here(name: str, pid: int) -> CommandCgroup | None:
    """`create` on this machine, by what /proc says of it."""
    own = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="surrogateescape")
    return create(parents(mounted_hierarchies(), own), name, pid)


def find_cgroup(text: str, hierarchies: Sequence[Hierarchy]) -> Path:
    """The directory of the cgroup that was typed: a directory, or a path below a hierarchy. Raises `LocalModeError`."""
    if not text.strip():
        raise LocalModeError("--cgroup names no cgroup", _CGROUP_HINT)
    candidates = [Path(text), *(hierarchy.mount_point / text.lstrip("/") for hierarchy in hierarchies)]
    for candidate in candidates:
        if (candidate / "cgroup.procs").exists():
            return _below_the_top(candidate.resolve(), hierarchies)
    raise LocalModeError(f'there is no cgroup "{text}"', _CGROUP_HINT)


def _below_the_top(found: Path, hierarchies: Sequence[Hierarchy]) -> Path:
    if found in {hierarchy.mount_point for hierarchy in hierarchies}:
        raise LocalModeError(
            f"{found} is the top of its hierarchy: everything on this machine is in it", "name a cgroup below it"
        )
    return found


def _from_below(top: Path) -> list[Path]:
    """A cgroup and all below it, the deepest first."""
    return [Path(directory) for directory, _, _ in os.walk(top, topdown=False)]


def _move_all(source: Path, destination: Path) -> int:
    try:
        pids = (source / "cgroup.procs").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return sum(_moved(pid, destination) for pid in pids)


def _moved(pid: str, destination: Path) -> bool:
    try:
        (destination / "cgroup.procs").write_text(pid + "\n", encoding="ascii")
    except OSError:
        # It has ended since.
        return False
    return True
