"""Where cgroups are, and ones with a limit, in whichever hierarchy has the controller for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bpf.harness import ENTER_CGROUP

LIMIT_OWN = """own=$1$(sed -n 's/^0:://p' /proc/self/cgroup) && echo "$3" > "$own/$2" && shift 3 && exec "$@\""""
"""Run by a shell that then becomes the load: limits the cgroup that it is in, which is traced."""


def hierarchy(kind: str) -> Path | None:
    """Where cgroup v2 is mounted, or the pids controller of v1; nowhere is None."""
    return _of_v1("pids") if kind == "v1" else next((where for where, _ in _mounted("cgroup2")), None)


@dataclass(frozen=True, kw_only=True)
class Controlled:
    """Makes a cgroup with the one of the limits that its hierarchy knows; all are removed in the end."""

    made: list[Path] = field(default_factory=list)

    def __call__(self, controller: str, limits: dict[str, str], name: str = "") -> Path:
        root = _of_v1(controller) or _v2_with(controller)
        directory = root / (name or f"podtrace-limited-{os.getpid()}")
        if not directory.exists():
            directory.mkdir()
            self.made.append(directory)
        for file, value in limits.items():
            if (directory / file).exists():
                (directory / file).write_text(value)
                return directory
        pytest.skip(f"{controller} has none of {', '.join(limits)}")

    def command(self, controller: str, limits: dict[str, str], *words: str) -> tuple[str, ...]:
        """A command with a limit, that of v1 or the last one, v2's, which limits the cgroup that it is in."""
        if _of_v1(controller):
            return ("sh", "-c", ENTER_CGROUP, "sh", str(self(controller, limits)), *words)
        file, value = list(limits.items())[-1]
        return ("sh", "-c", LIMIT_OWN, "sh", str(_v2_with(controller)), file, value, *words)

    def close(self) -> None:
        """Removes them. Who was killed leaves a cgroup a little after its parent has been told."""
        for directory in self.made:
            for _ in range(10_000):
                try:
                    directory.rmdir()
                    break
                except OSError:
                    os.sched_yield()


def _mounted(filesystem: str) -> list[tuple[Path, list[str]]]:
    """Where file systems of a kind are mounted, with their options."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [(Path(where), options.split(",")) for _, where, kind, options, *_ in lines if kind == filesystem]


def _of_v1(controller: str) -> Path | None:
    """Where the hierarchy of v1 that has a controller is mounted."""
    return next((where for where, options in _mounted("cgroup") if controller in options), None)


def _v2_with(controller: str) -> Path:
    """Where cgroup v2 is mounted, if it has a controller; skips the test if it has not."""
    v2 = hierarchy("v2")
    own = {"blkio": "io"}.get(controller, controller)
    if v2 is None or own not in (v2 / "cgroup.subtree_control").read_text().split():
        pytest.skip(f"no cgroup hierarchy has the controller {controller}")
    return v2
