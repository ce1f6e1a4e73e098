"""Cgroups of our own, in the hierarchy of version 2: what is traced, and whose CPU time is read."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.failure import BenchmarkError

_PATIENCE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Cgroup:
    """One directory of the hierarchy. It counts CPU time whether or not the cpu controller is enabled."""

    path: Path

    def entering(self, command: list[str]) -> list[str]:
        """The command, which then runs in here."""
        return ["sh", "-c", f'echo $$ > "{self.path}/cgroup.procs" && exec "$@"', "sh", *command]

    def cpu_ns(self) -> int:
        """CPU time of all that ran in here, also of what has ended."""
        return cpu_ns_of((self.path / "cpu.stat").read_text(encoding="ascii"))

    def processes(self) -> list[int]:
        """The pids in here."""
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text(encoding="ascii").split()]

    def settle(self, processes: int) -> None:
        """Waits until no more than so many processes are left: a server's children end after their last answer."""
        deadline = time.monotonic() + _PATIENCE_S
        while len(self.processes()) > processes:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{self.path.name} still has {len(self.processes())} processes")
            time.sleep(0.001)


def cpu_ns_of(cpu_stat: str) -> int:
    """The usage in a text of cpu.stat, which counts microseconds."""
    return 1000 * int(dict(line.split() for line in cpu_stat.splitlines())["usage_usec"])


def unified_root(mounts: str) -> Path:
    """Where the hierarchy of version 2 is mounted, from the text of /proc/self/mounts."""
    points = [line.split()[1] for line in mounts.splitlines() if line.split()[2] == "cgroup2"]
    if not points:
        raise BenchmarkError("no cgroup v2 hierarchy is mounted")
    return Path(points[0])


@contextmanager
def cgroup(parent: Path, name: str) -> Iterator[Cgroup]:
    """A new cgroup. What still runs in it at the end is killed."""
    made = Cgroup(path=parent / name)
    made.path.mkdir()
    try:
        yield made
    finally:
        for pid in made.processes():
            os.kill(pid, signal.SIGKILL)
        made.settle(0)
        made.path.rmdir()
