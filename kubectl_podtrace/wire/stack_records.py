"""The records of stacks, of operations and of the CPU; what all records have in common is said in `records`."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, Index, OperationName, Text


@dataclass(frozen=True, kw_only=True)
class FrameRow:
    """A place in a program: `key` is its number here.

    `symbol` is the function, demangled, `source` the line as FILE:LINE; both are empty where the file does not tell.
    `module` is the file as the container sees it; `offset` the place in it as its own addresses count, which
    programs like addr2line take. `build_id` is the file's own, in hexadecimal.
    """

    key: Count
    symbol: Text
    module: Text
    offset: Count
    source: Text
    build_id: Text


@dataclass(frozen=True, kw_only=True)
class Frames:
    """What the numbers of frames stand for. Not a counter."""

    rows: tuple[FrameRow, ...]


@dataclass(frozen=True, kw_only=True)
class StackRow:
    """Operations above their threshold that one stack led to; `key` is its number here.

    `frames` are numbers, innermost first; none where the stack is not known. `target` is what the slowest was about,
    and `targets_vary` that others were about something else. `buckets` is the histogram of the durations, as in
    `Histogram`.
    """

    scope: Index
    key: Count
    operation: OperationName
    target: Text
    targets_vary: bool
    count: Count
    total_ns: Count
    max_ns: Count
    buckets: tuple[Count, ...]
    frames: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class Stacks:
    """Stacks by operation, as `Files`; what found no place is in the operation's `slow` ones only."""

    rows: tuple[StackRow, ...]


@dataclass(frozen=True, kw_only=True)
class CpuFunctionRow:
    """How many samples found a thread in a function, a frame without a place; `[kernel]` is the kernel's module."""

    scope: Index
    frame: Count
    samples: Count


@dataclass(frozen=True, kw_only=True)
class CpuFunctions:
    """Functions that ran, as `Files`."""

    rows: tuple[CpuFunctionRow, ...]


@dataclass(frozen=True, kw_only=True)
class CpuStackRow:
    """How many samples found threads in a function that was called by these; `key` is the stack's number here.

    `frames` are numbers of frames without a place, innermost first. In the kernel the first one is `[kernel]`, and
    those behind it are what made the system call.
    """

    scope: Index
    key: Count
    samples: Count
    frames: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class CpuStacks:
    """Stacks that ran, as `Files`; samples whose stack is not known are in the total `cpu.run` only."""

    rows: tuple[CpuStackRow, ...]


@dataclass(frozen=True, kw_only=True)
class OffCpuStackRow:
    """Waits off the CPU of a millisecond and longer that one stack led to; `key` is its number here.

    `operation` is the cause. `frames` and `buckets` are those of `StackRow`.
    """

    scope: Index
    key: Count
    operation: OperationName
    count: Count
    total_ns: Count
    max_ns: Count
    buckets: tuple[Count, ...]
    frames: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class OffCpuStacks:
    """Stacks of waits by cause, as `Files`; shorter ones, and those without a stack, are in its totals only."""

    rows: tuple[OffCpuStackRow, ...]
