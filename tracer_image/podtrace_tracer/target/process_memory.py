"""What /proc says of a process's memory: page faults as the kernel counts them, and what is resident."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kubectl_podtrace.wire.codec import clean_text

_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
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
    return start_ns - start_ns % _TICK_NS


def _read(path: Path, pid: int) -> MemoryOfProcess | None:
    """The name stands in parentheses and may hold anything, also parentheses and spaces (proc_pid_stat(5))."""
    try:
        text = path.read_bytes()
        fields = text[text.rindex(b")") + 2 :].split()
        return MemoryOfProcess(
            pid=pid,
            start_ns=int(fields[19]) * _TICK_NS,
            comm=clean_text(text[text.index(b"(") + 1 : text.rindex(b")")]),
            minor=int(fields[7]),
            major=int(fields[9]),
            resident_bytes=int(fields[21]) * _PAGE_BYTES,
        )
    except (OSError, ValueError, IndexError):
        return None
