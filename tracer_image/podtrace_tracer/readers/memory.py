"""memory: page faults of living and ended processes, what is resident of them, and the limits of their cgroups."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from kubectl_podtrace.wire.memory_records import CgroupMemory, MemoryProcesses, MemoryProcessRow
from kubectl_podtrace.wire.records import LostRow, TotalsRow
from podtrace_tracer.programs.map_values import name_in
from podtrace_tracer.programs.program import operation_index
from podtrace_tracer.readers.cgroups import CgroupMemories
from podtrace_tracer.readers.ended_rows import MAX_ENDED, EndedRows
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.readers.tables import totals_row
from podtrace_tracer.target import process_memory
from podtrace_tracer.target.descriptor_table import inner_pid
from podtrace_tracer.target.process_memory import MemoryOfProcess

SETTLED_NS: Final = 2_000_000_000
"""Threads of a process can end behind its end; their faults are still to come."""
MANY: Final = 100
"""More processes than this are read every five seconds only: a reading takes some 20 microseconds."""
_SECONDS_BETWEEN: Final = 5
_SAME_START_NS: Final = 40_000_000
"""The two clocks that say when a process began are read one after the other, and one is cut to the tick."""

Key = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class _Faults:
    """So many minor and major page faults."""

    minor: int = 0
    major: int = 0

    def __add__(self, other: _Faults) -> _Faults:
        return _Faults(minor=self.minor + other.minor, major=self.major + other.major)

    def __sub__(self, other: _Faults) -> _Faults:
        return _Faults(minor=max(self.minor - other.minor, 0), major=max(self.major - other.major, 0))


@dataclass(frozen=True, kw_only=True)
class _Process:
    """A process that was met in /proc: what it had when it was met (`first`), and of that threads that had ended."""

    row: MemoryProcessRow
    first: _Faults = _Faults()
    first_of_ended: _Faults = _Faults()


class MemoryReader(TopicReader):
    """Follows the processes: by /proc while they live, by what the programs counted of their threads when they end."""

    def __init__(
        self, context: TraceContext, *, max_ended: int = MAX_ENDED, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._context = context
        self._programs = context.programs
        self._proc = context.host.proc
        self._clock = clock
        self._layout = self._programs.value_layout("faults")
        self._key = self._programs.key_layout("faults")
        self._since_boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        self._living: dict[Key, _Process] = {}
        self._ended = EndedRows(lambda row: row.minor_faults + row.major_faults, most=max_ended)
        self._of_ended: Counter[tuple[int, str]] = Counter()
        self._seconds = 0
        self._cgroups = CgroupMemories(context)
        self._started_ns = clock() + self._since_boot_ns
        self._read_living()

    def second(self) -> None:
        """Reads what may be gone in a second."""
        self._cgroups.read()
        self._seconds += 1
        if len(self._living) <= MANY or not self._seconds % _SECONDS_BETWEEN:
            self._read_living()
        self._take_ended(self._clock() - SETTLED_NS)

    def last_look(self) -> None:
        """What is read later is not of the trace."""
        self._cgroups.read()
        self._read_living()

    def settle(self, ended_ns: int) -> None:
        """Takes in whoever had ended by then."""
        self._take_ended(ended_ns)

    def totals(self) -> Iterable[TotalsRow]:
        """The page faults of all processes by scope, and what the programs count by themselves."""
        counts = Counter(self._of_ended)
        for process in self._living.values():
            counts[process.row.scope, "minor"] += process.row.minor_faults
            counts[process.row.scope, "major"] += process.row.major_faults
        for (scope, kind), count in counts.items():
            if count:
                index = operation_index(f"memory.{kind}_fault")
                yield replace(totals_row(self._programs, scope, index), count=count)

    def tables(self) -> Iterator[KeyedTable]:
        """Processes and cgroups."""
        living = {key: process.row for key, process in self._living.items()}
        yield KeyedTable(
            record=MemoryProcesses,
            rows={**self._ended.rows, **living},
            ranks=(lambda row: row.resident_peak_bytes, lambda row: row.major_faults, lambda row: row.minor_faults),
        )
        yield KeyedTable(record=CgroupMemory, rows=self._cgroups.rows(), ranks=(lambda row: row.current_bytes,))

    def dropped(self) -> tuple[LostRow, ...]:
        """Processes that had to be let go."""
        return self._ended.dropped("memory", "their page faults are in the totals")

    def _read_living(self) -> None:
        scopes, seen = self._context.scopes.by_pid(), set[Key]()
        for pid in self._context.pids():
            found = process_memory.read(self._proc, pid)
            if found is None:
                continue
            key = (pid, found.start_ns)
            seen.add(key)
            known = self._living.get(key)
            if known is None and key in self._ended.rows:
                continue  # it has been counted to its end, and still waits for its parent
            known = known or self._met(found, scopes.get(pid, 0))
            faults = _Faults(minor=found.minor, major=found.major) - known.first
            row = replace(
                known.row,
                comm=found.comm,
                minor_faults=max(faults.minor, known.row.minor_faults),
                major_faults=max(faults.major, known.row.major_faults),
                resident_bytes=found.resident_bytes,
                resident_peak_bytes=max(found.resident_bytes, known.row.resident_peak_bytes),
            )
            self._living[key] = replace(known, row=row)
        self._note_gone(seen)

    def _note_gone(self, seen: set[Key]) -> None:
        """Those that have gone wait for the programs' word on their end."""
        for key, process in self._living.items():
            if process.row.alive and key not in seen:
                self._living[key] = replace(process, row=replace(process.row, alive=False, resident_bytes=0))

    def _met(self, found: MemoryOfProcess, scope: int) -> _Process:
        """A process that is met for the first time: one that began before the trace has faults from before it, too."""
        row = MemoryProcessRow(
            scope=scope,
            pid=inner_pid(self._proc, found.pid),
            node_pid=found.pid,
            start_ns=found.start_ns,
            comm=found.comm,
            alive=True,
            minor_faults=0,
            major_faults=0,
            resident_bytes=0,
            resident_peak_bytes=0,
        )
        if found.start_ns > self._started_ns - _SAME_START_NS and self._seconds:
            return _Process(row=row)
        first = _Faults(minor=found.minor, major=found.major)
        minor, major = process_memory.of_living_threads(self._proc, found.pid)
        return _Process(row=row, first=first, first_of_ended=first - _Faults(minor=minor, major=major))

    def _take_ended(self, before_ns: int) -> None:
        """Takes processes out of the kernel whose last thread had ended by then."""
        rows: dict[Key, MemoryProcessRow] = {}
        for raw, values in list(self._programs.items("faults")):
            fields, start_ns = self._layout.fields(values[0]), self._key.unsigned("start_ns", raw)
            if not 0 < fields["ended_ns"] <= before_ns:
                continue
            self._programs.delete("faults", raw)
            key, row = self._end(fields, start_ns + self._since_boot_ns)
            self._living.pop(key, None)
            rows[key] = row
            self._of_ended[row.scope, "minor"] += row.minor_faults
            self._of_ended[row.scope, "major"] += row.major_faults
        self._ended.keep(rows)

    def _end(self, fields: dict[str, Any], start_ns: int) -> tuple[Key, MemoryProcessRow]:
        counted = _Faults(minor=fields["minor"], major=fields["major"])
        pid = fields["node_pid"]
        for key, process in self._living.items():
            if key[0] == pid and abs(key[1] - start_ns) < _SAME_START_NS:
                faults = process.first_of_ended + counted - process.first
                return key, replace(
                    process.row,
                    comm=name_in(fields["comm"]),
                    alive=False,
                    resident_bytes=0,
                    minor_faults=max(faults.minor, process.row.minor_faults),
                    major_faults=max(faults.major, process.row.major_faults),
                )
        start = process_memory.in_ticks(start_ns)
        row = MemoryProcessRow(
            scope=fields["scope"],
            pid=fields["pid"],
            node_pid=pid,
            start_ns=start,
            comm=name_in(fields["comm"]),
            alive=False,
            minor_faults=counted.minor,
            major_faults=counted.major,
            resident_bytes=0,
            resident_peak_bytes=0,
        )
        return (pid, start), row
