"""The memory of the scopes' cgroups over the trace: the newest reading, and the most that was used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kubectl_podtrace.wire.memory_records import CgroupMemoryRow
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.target import cgroup_memory
from podtrace_tracer.target.cgroup_memory import MemoryReading
from podtrace_tracer.target.controllers import directories_of


@dataclass(frozen=True, kw_only=True)
class _AtStart:
    """A cgroup's record and kills from before the trace; none of one that began in it."""

    record_bytes: int = 0
    oom_kills: int = 0


class CgroupMemories:
    """Reads them when asked to; one that is gone keeps its last numbers."""

    def __init__(self, context: TraceContext) -> None:
        self._context = context
        self._directories: dict[int, Path | None] = {}
        self._at_start: dict[int, _AtStart] = {}
        self._rows: dict[int, CgroupMemoryRow] = {}
        for scope, found in self._readings():
            self._at_start[scope] = _AtStart(record_bytes=found.record_bytes, oom_kills=found.oom_kills)
            self._rows[scope] = self._row(scope, found)

    def read(self) -> None:
        """Reads each cgroup once."""
        for scope, found in self._readings():
            self._rows[scope] = self._row(scope, found)

    def rows(self) -> Mapping[int, CgroupMemoryRow]:
        """By scope."""
        return dict(self._rows)

    def _readings(self) -> Iterator[tuple[int, MemoryReading]]:
        for scope in self._context.scopes.records():
            if scope.index not in self._directories:
                self._directories[scope.index] = self._directory_of(scope.cgroup)
        for index, directory in self._directories.items():
            found = cgroup_memory.read(directory) if directory else None
            if found:
                yield index, found

    def _directory_of(self, cgroup: str) -> Path | None:
        directories = directories_of(self._context.target, cgroup, self._context.host)
        return next((each for each in directories if cgroup_memory.is_controlled(each)), None)

    def _row(self, scope: int, found: MemoryReading) -> CgroupMemoryRow:
        known, start = self._rows.get(scope), self._at_start.get(scope, _AtStart())
        is_exact = found.record_bytes > start.record_bytes
        seen = max(found.current_bytes, known.peak_bytes if known else 0)
        return CgroupMemoryRow(
            scope=scope,
            limit_bytes=found.limit_bytes,
            current_bytes=found.current_bytes,
            peak_bytes=found.record_bytes if is_exact else seen,
            peak_is_exact=is_exact,
            working_set_bytes=found.working_set_bytes,
            working_set_peak_bytes=max(found.working_set_bytes, known.working_set_peak_bytes if known else 0),
            oom_kills=max(found.oom_kills - start.oom_kills, 0),
        )
