"""What the memory controller says of a cgroup: use, limit, record and kills, in whichever hierarchy it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_UNLIMITED_V1: Final = 1 << 62
"""Version 1 writes the largest number of pages that there is where nothing was set."""


@dataclass(frozen=True, kw_only=True)
class MemoryReading:
    """The memory of one cgroup now. `record_bytes` is its highest use ever, 0 where the kernel does not keep it."""

    limit_bytes: int
    current_bytes: int
    record_bytes: int
    working_set_bytes: int
    oom_kills: int


def is_controlled(directory: Path) -> bool:
    """Does a memory controller count for this cgroup?"""
    return any((directory / name).exists() for name in ("memory.current", "memory.usage_in_bytes"))


def read(directory: Path) -> MemoryReading | None:
    """The reading of now; None when the cgroup is gone."""
    try:
        return _read_v2(directory) if (directory / "memory.current").exists() else _read_v1(directory)
    except (OSError, ValueError, KeyError):
        return None


def _read_v2(directory: Path) -> MemoryReading:
    current, events = _number(directory / "memory.current"), _fields(directory / "memory.events")
    unused = _fields(directory / "memory.stat").get("inactive_file", 0)
    record = directory / "memory.peak"  # since Linux 5.19
    return MemoryReading(
        limit_bytes=_limit_v2(directory),
        current_bytes=current,
        record_bytes=_number(record) if record.exists() else 0,
        working_set_bytes=max(current - unused, 0),
        oom_kills=events.get("oom_kill", 0),
    )


def _read_v1(directory: Path) -> MemoryReading:
    current, statistics = _number(directory / "memory.usage_in_bytes"), _fields(directory / "memory.stat")
    limit = statistics["hierarchical_memory_limit"]
    return MemoryReading(
        limit_bytes=0 if limit >= _UNLIMITED_V1 else limit,
        current_bytes=current,
        record_bytes=_number(directory / "memory.max_usage_in_bytes"),
        working_set_bytes=max(current - statistics.get("total_inactive_file", 0), 0),
        oom_kills=_fields(directory / "memory.oom_control").get("oom_kill", 0),  # since Linux 4.13
    )


def _limit_v2(directory: Path) -> int:
    """The lowest limit from here up; the top of the hierarchy has none."""
    limits = []
    for each in (directory, *directory.parents):
        try:
            text = (each / "memory.max").read_text(encoding="ascii").strip()
        except OSError:
            break
        if text != "max":
            limits.append(int(text))
    return min(limits, default=0)


def _number(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))


def _fields(file: Path) -> Mapping[str, int]:
    lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}
