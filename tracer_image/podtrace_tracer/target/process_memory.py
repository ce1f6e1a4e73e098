"""What /proc says of a process's memory: page faults as the kernel counts them, and what is resident."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podtrace_tracer.target.process_stat import TICK_NS, read_stat

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class MemoryOfProcess:
    """The faults of all threads, those that have ended too; `start_ns` is since the boot, to the clock tick."""

    pid: int
    start_ns: int
    comm: str
    minor: int
    major: int
    resident_bytes: int


def read(proc: Path, pid: int) -> MemoryOfProcess | None:
    """As it is now; None when the process has gone."""
    return _read(proc / str(pid) / "stat", pid)


def of_living_threads(proc: Path, pid: int) -> tuple[int, int]:
    """The minor and the major faults of the threads that are there: without those of ended ones."""
    try:
        threads = sorted((proc / str(pid) / "task").iterdir())
    except OSError:
        return 0, 0
    found = [each for each in (_read(thread / "stat", pid) for thread in threads) if each]
    return sum(each.minor for each in found), sum(each.major for each in found)


def in_ticks(start_ns: int) -> int:
    """A time since the boot, cut to the clock tick."""
    return start_ns - start_ns % TICK_NS


def _read(path: Path, pid: int) -> MemoryOfProcess | None:
    try:
        stat = read_stat(path)
        return MemoryOfProcess(
            pid=pid,
            start_ns=stat.start_ns,
            comm=stat.comm,
            minor=int(stat.fields[7]),
            major=int(stat.fields[9]),
            resident_bytes=int(stat.fields[21]) * _PAGE_BYTES,
        )
    except (OSError, ValueError, IndexError):
        return None
