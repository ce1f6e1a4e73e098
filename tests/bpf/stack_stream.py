"""What a stream says of stacks, its numbers put together by the plainest means."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kubectl_podtrace.wire.stack_records import CpuFunctions, FrameRow, Frames, StackRow, Stacks
from tests.bpf.stream import Stream


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack with its frames, innermost first."""

    row: StackRow
    frames: tuple[FrameRow, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The functions, "" where one is not known."""
        return tuple(frame.symbol for frame in self.frames)

    def chain(self, *functions: str) -> bool:
        """Do these functions follow each other somewhere, innermost first?"""
        places = range(len(self.symbols) - len(functions) + 1)
        return any(self.symbols[at : at + len(functions)] == functions for at in places)


def stacks_of(stream: Stream, operation: str) -> list[Stack]:
    """The last rows of an operation's stacks."""
    frames = {row.key: row for record in stream.of(Frames) for row in record.rows}
    rows = {(row.scope, row.key): row for record in stream.of(Stacks) for row in record.rows}
    return [
        Stack(row=row, frames=tuple(frames[number] for number in row.frames))
        for row in rows.values()
        if row.operation == operation
    ]


def counts_by_chain(stacks: list[Stack], *chains: tuple[str, ...]) -> dict[tuple[str, ...], int]:
    """How many operations came through each chain of functions; under () those through none."""
    found: Counter[tuple[str, ...]] = Counter()
    for stack in stacks:
        found[next((chain for chain in chains if stack.chain(*chain)), ())] += stack.row.count
    return dict(found)


def samples_of(stream: Stream) -> dict[tuple[str, str], int]:
    """How many samples found a thread in a function, by its name and module."""
    frames = {row.key: row for record in stream.of(Frames) for row in record.rows}
    rows = {(row.scope, row.frame): row for record in stream.of(CpuFunctions) for row in record.rows}
    found: Counter[tuple[str, str]] = Counter()
    for row in rows.values():
        found[frames[row.frame].symbol, frames[row.frame].module] += row.samples
    return dict(found)
