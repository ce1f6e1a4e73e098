"""What samples found running: functions, and the stacks that led to them. Read each second: most addresses are new."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Final

from kubectl_podtrace.wire.stack_records import CpuFunctionRow, CpuFunctions, CpuStackRow, CpuStacks
from podtrace_tracer.readers.frames import Chain, chain_in
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.symbols.frames import ImageKey

KERNEL: Final = "[kernel]"
_SAMPLE: Final = struct.Struct("=QQIIQQ")  # struct cpu_sample of include/cpu_samples.bpf.h
_MAX_WAITING: Final = 100_000
MAX_STACKS: Final = 10_000
"""So many different ones are added up; samples of further ones have no stack."""

Sample = tuple[int, ImageKey, int, Chain | None]
"""Scope, process, address (0 in the kernel), and the chain from that one on, None where it is not known."""


class CpuSampleReader(TopicReader):
    """Empties the tables of one side while the programs fill those of the other, and adds up samples by function."""

    def __init__(self, context: TraceContext, *, max_stacks: int = MAX_STACKS) -> None:
        self._programs, self._frames = context.programs, context.frames
        self._machine = context.host.machine
        self._layout = self._programs.value_layout("sample_stacks_0")
        self._max_stacks = max_stacks
        self._side = 0
        self._waiting: Counter[Sample] = Counter()
        self._functions: Counter[tuple[int, int]] = Counter()
        self._stacks: Counter[tuple[int, tuple[int, ...]]] = Counter()
        self._numbers: dict[tuple[int, tuple[int, ...]], int] = {}

    def second(self) -> None:
        """Takes the samples of the side that has rested for a second, and lets it be filled again."""
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
        """How often each function was met, and how often each stack."""
        self._name()
        functions = {
            (scope, frame): CpuFunctionRow(scope=scope, frame=frame, samples=samples)
            for (scope, frame), samples in self._functions.items()
        }
        stacks = {
            what: CpuStackRow(scope=what[0], key=self._numbers[what], samples=samples, frames=what[1])
            for what, samples in self._stacks.items()
        }
        self._frames.use(row.frame for row in sorted(functions.values(), key=lambda row: -row.samples))
        for row in sorted(stacks.values(), key=lambda row: -row.samples):
            self._frames.use(row.frames)
        yield KeyedTable(record=CpuFunctions, rows=functions, ranks=(lambda row: row.samples,))
        yield KeyedTable(record=CpuStacks, rows=stacks, ranks=(lambda row: row.samples,))

    def _take(self, side: int) -> None:
        table = f"cpu_samples_{side}"
        chains = self._chains(f"sample_stacks_{side}")
        for key, values in list(self._programs.items(table)):
            self._programs.delete(table, key)
            start_ns, executions, tgid, scope, address, stack = _SAMPLE.unpack(key)
            if len(self._waiting) < _MAX_WAITING:
                chain = chains.get(stack)
                if address and chain:
                    # The place of the address itself was left empty.
                    chain = chain._replace(addresses=(address, *chain.addresses[1:]))
                sample = (scope, (start_ns, executions, tgid), address, chain)
                self._waiting[sample] += int.from_bytes(values[0], "little")

    def _chains(self, table: str) -> dict[int, Chain]:
        """The stacks in a table, by their hash. The table is empty then."""
        found = {}
        for key, values in list(self._programs.items(table)):
            self._programs.delete(table, key)
            found[int.from_bytes(key, "little")] = chain_in(values[0], self._layout, self._machine)
        return found

    def _name(self) -> None:
        for sample, count in list(self._waiting.items()):
            scope, image, address, chain = sample
            kernel = () if address else (self._frames.of_name(KERNEL),)
            known = chain or Chain((address,) if address else ())
            found = self._frames.numbers(image, known.addresses, "function")
            if found is None:
                continue
            frames = self._told_apart((*kernel, *known.told(found, self._frames.rows)))
            self._functions[scope, frames[0]] += count
            if chain is not None:
                self._count_stack((scope, frames), count)
            del self._waiting[sample]

    def _count_stack(self, what: tuple[int, tuple[int, ...]], count: int) -> None:
        if what in self._stacks or len(self._stacks) < self._max_stacks:
            self._stacks[what] += count
            self._numbers.setdefault(what, len(self._numbers))

    def _told_apart(self, frames: tuple[int, ...]) -> tuple[int, ...]:
        """Without those that say nothing more than the one before: another place in a file that names no functions."""
        rows = self._frames.rows
        return tuple(
            number
            for place, number in enumerate(frames)
            if not place or number != frames[place - 1] or rows[number].symbol
        )
