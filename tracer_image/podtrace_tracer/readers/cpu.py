"""cpu: the processes' time on a CPU, and the CPU limits of the containers' cgroups."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from kubectl_podtrace.wire.cpu_records import CpuProcesses, CpuProcessRow, Throttling, ThrottlingRow
from kubectl_podtrace.wire.records import LostRow
from podtrace_tracer.kernel import waits
from podtrace_tracer.programs.map_values import name_in
from podtrace_tracer.readers.ended_rows import MAX_ENDED, EndedRows
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.target import throttling
from podtrace_tracer.target.controllers import directories_of

SETTLED_NS: Final = 2_000_000_000
"""The last threads of a process leave their CPU behind its end; a throttled one waits long for that."""


class CpuReader(TopicReader):
    """Takes ended processes out of the kernel, and follows the counters of cpu.stat."""

    def __init__(
        self, context: TraceContext, *, max_ended: int = MAX_ENDED, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._context = context
        self._programs = context.programs
        self._clock = clock
        self._key = self._programs.key_layout("cpu_processes")
        self._value = self._programs.value_layout("cpu_processes")
        self._ended = EndedRows(lambda row: row.on_cpu_ns, added=_added, most=max_ended)
        self._files: dict[int, Path | None] = {}
        self._at_start: dict[int, throttling.Counters] = {}
        self._throttling: dict[int, ThrottlingRow] = {}
        for number, value in waits.class_of_numbers(context.host.machine).items():
            self._programs.set_number("wait_calls", number, value)
        for scope, file in self._find_files():
            self._at_start[scope] = (throttling.read(file) if file else None) or throttling.Counters()

    def second(self) -> None:
        """Makes room in the kernel for the next processes, and reads the counters of cpu.stat before they are gone."""
        self._ended.take(self._programs, "cpu_processes", self._clock() - SETTLED_NS, self._row)
        self._read_throttling()

    def last_look(self) -> None:
        """The same: counters of cpu.stat that move later are not of the trace."""
        self.second()

    def tables(self) -> Iterator[KeyedTable]:
        """Processes, and throttling by scope."""
        found = {key: self._row(key, values[0]) for key, values in self._programs.items("cpu_processes")}
        yield KeyedTable(
            record=CpuProcesses,
            rows=self._ended.over(found),
            ranks=(lambda row: row.on_cpu_ns, lambda row: row.switches),
        )
        yield KeyedTable(record=Throttling, rows=dict(self._throttling), ranks=(lambda row: row.total_ns,))

    def dropped(self) -> tuple[LostRow, ...]:
        """Processes that had to be let go."""
        return self._ended.dropped("cpu", "what they ran is in the totals")

    def _row(self, key: bytes, value: bytes) -> CpuProcessRow:
        process, fields = self._key.fields(key), self._value.fields(value)
        return CpuProcessRow(
            scope=process["scope"],
            pid=fields["pid"],
            node_pid=fields["node_pid"],
            start_ns=process["start_ns"],
            comm=name_in(fields["comm"]),
            on_cpu_ns=fields["on_cpu_ns"],
            switches=fields["switches"],
            samples=fields["samples"],
        )

    def _find_files(self) -> list[tuple[int, Path | None]]:
        """The cpu.stat of each scope that is new."""
        found = []
        for scope in self._context.scopes.records():
            if scope.index not in self._files:
                directories = directories_of(self._context.target, scope.cgroup, self._context.host)
                self._files[scope.index] = throttling.file_in(directories)
                found.append((scope.index, self._files[scope.index]))
        return found

    def _read_throttling(self) -> None:
        """A container that is new had no counts before the trace; one that is gone keeps its last ones."""
        self._find_files()
        for scope, file in self._files.items():
            now = throttling.read(file) if file else None
            if now is None:
                continue
            change = now.since(self._at_start.get(scope, throttling.Counters()))
            self._throttling[scope] = ThrottlingRow(
                scope=scope, periods=change.periods, throttled=change.throttled, total_ns=change.total_ns
            )


def _added(earlier: CpuProcessRow, row: CpuProcessRow) -> CpuProcessRow:
    """A process with what it had when it was taken out of the kernel: it may run once more after that."""
    return replace(
        row,
        on_cpu_ns=earlier.on_cpu_ns + row.on_cpu_ns,
        switches=earlier.switches + row.switches,
        samples=earlier.samples + row.samples,
    )
