"""Loads of our own: small C programs that do nothing but system calls, and say what one of them took."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cgroups import Cgroup, cgroup
from benchmarks.rounds import Sample
from benchmarks.tracing import ROOT, Processors

READ_WRITE, PING_PONG = "read/write loop", "TCP ping-pong"
_READ_WRITE_PAIRS, _PING_PONG_ROUNDS = 300_000, 40_000


@dataclass(frozen=True, kw_only=True)
class CallLoad:
    """One compiled program. `operations`: how many one run does."""

    name: str
    command: tuple[str, ...]
    operations: int
    cgroup: Cgroup
    processors: Processors

    def run(self, *, traced_client: bool = False) -> tuple[Sample, int]:
        """One run, and its number of operations. There is no client."""
        del traced_client
        command = self.processors.holding(self.processors.load, self.cgroup.entering(list(self.command)))
        done = subprocess.run(command, input=b"\n", stdout=subprocess.PIPE, check=True)
        return Sample(cpu_ns=float(done.stdout.split()[-1])), self.operations


def compiled(program: str, directory: Path) -> Path:
    """A load of `benchmarks/loads`, compiled into a directory."""
    source, made = ROOT / "benchmarks" / "loads" / f"{program}.c", directory / program
    subprocess.run(["gcc", "-O2", "-static", "-pthread", "-o", str(made), str(source)], check=True)
    return made


@contextmanager
def call_loads(directory: Path, parent: Path, processors: Processors) -> Iterator[list[CallLoad]]:
    """The loads, compiled into a directory, below a cgroup."""
    wanted = (
        (READ_WRITE, "rw", (str(directory / "data"), str(_READ_WRITE_PAIRS)), 2 * _READ_WRITE_PAIRS),
        (PING_PONG, "pingpong", (str(_PING_PONG_ROUNDS),), _PING_PONG_ROUNDS),
    )
    with ExitStack() as stack:
        found = []
        for name, program, arguments, operations in wanted:
            made = compiled(program, directory)
            found.append(
                CallLoad(
                    name=name,
                    command=(str(made), *arguments),
                    operations=operations,
                    cgroup=stack.enter_context(cgroup(parent, program)),
                    processors=processors,
                )
            )
        yield found
