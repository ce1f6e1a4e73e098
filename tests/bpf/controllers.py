"""Where cgroups are, and ones with a limit, in whichever hierarchy has the controller for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest


def hierarchy(kind: str) -> Path | None:
    """Where cgroup v2 is mounted, or the pids controller of v1; nowhere is None."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, filesystem, options, *_ = line.split()
        if (kind == "v2" and filesystem == "cgroup2") or (
            kind == "v1" and filesystem == "cgroup" and "pids" in options.split(",")
        ):
            return Path(where)
    return None


@dataclass(frozen=True, kw_only=True)
class Controlled:
    """Makes a cgroup with the one of the limits that its hierarchy knows; all are removed in the end."""

    made: list[Path] = field(default_factory=list)

    def __call__(self, controller: str, limits: dict[str, str], name: str = "") -> Path:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        roots = [
            Path(where) for _, where, kind, words, *_ in mounts if kind == "cgroup" and controller in words.split(",")
        ]
        v2 = hierarchy("v2")
        own = {"blkio": "io"}.get(controller, controller)
        if v2 and own in (v2 / "cgroup.subtree_control").read_text().split():
            roots.append(v2)
        if not roots:
            pytest.skip(f"no cgroup hierarchy has the controller {controller}")
        directory = roots[0] / (name or f"podtrace-limited-{os.getpid()}")
        if not directory.exists():
            directory.mkdir()
            self.made.append(directory)
        for file, value in limits.items():
            if (directory / file).exists():
                (directory / file).write_text(value)
                return directory
        pytest.skip(f"{controller} has none of {', '.join(limits)}")

    def close(self) -> None:
        """Removes them. Who was killed leaves a cgroup a little after its parent has been told."""
        for directory in self.made:
            for _ in range(10_000):
                try:
                    directory.rmdir()
                    break
                except OSError:
                    os.sched_yield()
