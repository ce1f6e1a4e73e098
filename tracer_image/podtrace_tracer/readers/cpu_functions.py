"""The functions in which samples found threads: read each second, since most samples have an address of their own."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Final

from kubectl_podtrace.wire.stack_records import CpuFunctionRow, CpuFunctions
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.symbols.frames import ImageKey

KERNEL: Final = "[kernel]"
_SAMPLE: Final = struct.Struct("=QQIIQ")  # struct cpu_sample of collectors/cpu.bpf.c
_MAX_WAITING: Final = 100_000

Sample = tuple[int, ImageKey, int]
"""Scope, process, address; 0 in the kernel."""


class CpuFunctionReader(TopicReader):
    """Empties one of two tables while the programs fill the other, and adds up samples by function."""

    def __init__(self, context: TraceContext) -> None:
        self._programs, self._frames = context.programs, context.frames
        self._side = 0
        self._waiting: Counter[Sample] = Counter()
        self._functions: Counter[tuple[int, int]] = Counter()

    def second(self) -> None:
        """Takes the samples of the table that has rested for a second, and lets it be filled again."""
        self._side = 1 - self._side
        self._take(self._side)
        self._programs.set_number("cpu_samples_side", 0, self._side)
        self._name()

    def settle(self, ended_ns: int) -> None:  # noqa: ARG002  nothing here depends on the moment
        """Takes all that is left, and asks for names."""
        self._take(0)
        self._take(1)
        self._name()

    def tables(self) -> Iterator[KeyedTable]:
        """How often each function was met."""
        self._name()
        rows = {
            (scope, frame): CpuFunctionRow(scope=scope, frame=frame, samples=samples)
            for (scope, frame), samples in self._functions.items()
        }
        self._frames.use(row.frame for row in sorted(rows.values(), key=lambda row: -row.samples))
        yield KeyedTable(record=CpuFunctions, rows=rows, ranks=(lambda row: row.samples,))

    def _take(self, side: int) -> None:
        table = f"cpu_samples_{side}"
        for key, values in list(self._programs.items(table)):
            self._programs.delete(table, key)
            start_ns, executions, tgid, scope, address = _SAMPLE.unpack(key)
            if len(self._waiting) < _MAX_WAITING:
                self._waiting[scope, (start_ns, executions, tgid), address] += int.from_bytes(values[0], "little")

    def _name(self) -> None:
        for sample, count in list(self._waiting.items()):
            scope, image, address = sample
            function = self._frames.function(image, address) if address else self._frames.of_name(KERNEL)
            if function is not None:
                self._functions[scope, function] += count
                del self._waiting[sample]
