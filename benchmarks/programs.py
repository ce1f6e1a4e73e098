"""What each of the tracer's programs costs, as the kernel itself measures it: BPF run-time statistics.

The kernel reads its clock around every run, so nothing else is measured meanwhile. A program that is called at the end
of another one is part of that one's run.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.failure import BenchmarkError

_SYSCALL_NUMBERS: Final = {"x86_64": 321, "aarch64": 280}
# enum bpf_cmd and enum bpf_stats_type (include/uapi/linux/bpf.h)
_PROG_GET_FD_BY_ID, _OBJ_GET_INFO_BY_FD, _ENABLE_STATS, _STATS_RUN_TIME = 13, 15, 32, 0
_ATTRIBUTE_BYTES: Final = 128
# struct bpf_prog_info: where its name is, and the two numbers next to each other.
_INFO_BYTES: Final = 232
_NAME: Final = slice(64, 80)
_RUNS: Final = struct.Struct("=QQ")
_RUNS_OFFSET: Final = 192


@dataclass(frozen=True, kw_only=True)
class Cost:
    """How often a program ran, and how long altogether."""

    runs: int
    ns: int

    def since(self, before: Cost) -> Cost:
        """What was added."""
        return Cost(runs=self.runs - before.runs, ns=self.ns - before.ns)


@dataclass(frozen=True, kw_only=True)
class ProgramCost:
    """One program under one load: runs for each operation, time of a run, time for each operation."""

    program: str
    runs_per_operation: float
    ns_per_run: float

    @property
    def ns_per_operation(self) -> float:
        """What it adds to an operation."""
        return self.runs_per_operation * self.ns_per_run


def cost_in(info: bytes) -> tuple[str, Cost]:
    """Name and cost of a program, from its struct bpf_prog_info."""
    ns, runs = _RUNS.unpack_from(info, _RUNS_OFFSET)
    return info[_NAME].split(b"\0")[0].decode("ascii", errors="replace"), Cost(runs=runs, ns=ns)


def held_in(descriptions: Iterable[str]) -> dict[int, str]:
    """The programs that a process holds, from the texts of its /proc/PID/fdinfo: number -> tracepoint, "" without one.

    The kernel cuts a program's own name at 15 characters, the tracepoint's is whole.
    """
    found: dict[int, str] = {}
    for text in descriptions:
        fields = {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
        if "prog_id" in fields:
            number = int(fields["prog_id"])
            found[number] = fields.get("tp_name") or found.get(number, "")
    return found


def costs_between(before: Mapping[str, Cost], after: Mapping[str, Cost], operations: int) -> list[ProgramCost]:
    """What each program cost an operation meanwhile, the most expensive first; without those that did not run."""
    grown = {name: cost.since(before.get(name, Cost(runs=0, ns=0))) for name, cost in after.items()}
    found = [
        ProgramCost(program=name, runs_per_operation=cost.runs / operations, ns_per_run=cost.ns / cost.runs)
        for name, cost in grown.items()
        if cost.runs
    ]
    return sorted(found, key=lambda cost: -cost.ns_per_operation)


@contextmanager
def statistics_on() -> Iterator[None]:
    """The kernel measures all programs meanwhile."""
    descriptor = _bpf(_ENABLE_STATS, struct.pack("=I", _STATS_RUN_TIME))
    try:
        yield
    finally:
        os.close(descriptor)


def costs_of(pid: int) -> dict[str, Cost]:
    """By name: what the programs that a process holds have cost since they were loaded."""
    descriptions = texts_in(Path(f"/proc/{pid}/fdinfo"))
    return dict(_read(number, tracepoint) for number, tracepoint in sorted(held_in(descriptions).items()))


def texts_in(directory: Path) -> Iterator[str]:
    """The text of each file that is still there when its turn comes: the tracer opens and closes others meanwhile."""
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            yield path.read_text(encoding="ascii", errors="replace")


def _read(number: int, tracepoint: str) -> tuple[str, Cost]:
    descriptor = _bpf(_PROG_GET_FD_BY_ID, struct.pack("=I", number))
    try:
        info = ctypes.create_string_buffer(_INFO_BYTES)
        _bpf(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", descriptor, _INFO_BYTES, ctypes.addressof(info)))
    finally:
        os.close(descriptor)
    name, cost = cost_in(info.raw)
    return tracepoint or name, cost


def _bpf(command: int, attribute: bytes) -> int:
    """The bpf system call, for which the C library has no function."""
    number = _SYSCALL_NUMBERS.get(platform.machine())
    if number is None:
        raise BenchmarkError(f"the number of the bpf system call on {platform.machine()} is not known")
    buffer = ctypes.create_string_buffer(attribute, _ATTRIBUTE_BYTES)
    library = ctypes.CDLL(None, use_errno=True)
    result = int(library.syscall(number, command, buffer, _ATTRIBUTE_BYTES))
    if result < 0:
        problem = os.strerror(ctypes.get_errno())
        raise BenchmarkError(f"the kernel does not tell what its programs cost (bpf command {command}): {problem}")
    return result
