"""What a stream says of stacks, its numbers put together by the plainest means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kubectl_podtrace.wire.stack_records import (
    CpuFunctions,
    CpuStackRow,
    CpuStacks,
    FrameRow,
    Frames,
    OffCpuStackRow,
    OffCpuStacks,
    StackRow,
    Stacks,
)
from tests.bpf.stream import Stream

Row = TypeVar("Row", StackRow, CpuStackRow, OffCpuStackRow)


@dataclass(frozen=True, kw_only=True)
class Stack(Generic[Row]):
    """A stack with its frames, innermost first."""

    row: Row
    frames: tuple[FrameRow, ...]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The functions, "" where one is not known."""
        return tuple(frame.symbol for frame in self.frames)

    def chain(self, *functions: str) -> bool:
        """Do these functions follow each other somewhere, innermost first?"""
        places = range(len(self.symbols) - len(functions) + 1)
        return any(self.symbols[at : at + len(functions)] == functions for at in places)


def stacks_of(stream: Stream, operation: str) -> list[Stack[StackRow]]:
    """The last rows of an operation's stacks."""
    return [stack for stack in _last(stream, Stacks) if stack.row.operation == operation]


def waits_of(stream: Stream, cause: str) -> list[Stack[OffCpuStackRow]]:
    """The last rows of the stacks of waits with one cause."""
    return [stack for stack in _last(stream, OffCpuStacks) if stack.row.operation == cause]


def running_of(stream: Stream) -> list[Stack[CpuStackRow]]:
    """The last rows of the stacks of samples."""
    return _last(stream, CpuStacks)


def _last(stream: Stream, record: type[Any]) -> list[Stack[Any]]:
    frames = {row.key: row for each in stream.of(Frames) for row in each.rows}
    rows = {(row.scope, row.key): row for each in stream.of(record) for row in each.rows}
    return [Stack(row=row, frames=tuple(frames[number] for number in row.frames)) for row in rows.values()]


def counts_by_chain(
    stacks: Sequence[Stack[StackRow] | Stack[OffCpuStackRow]], *chains: tuple[str, ...]
) -> dict[tuple[str, ...], int]:
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
