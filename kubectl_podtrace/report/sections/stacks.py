"""The readable section of stacks: which code path led to the slow operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import dropwhile
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.stacks import OPERATIONS, Frame, Stack
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import SHOWN

TITLE: Final = "Stacks of slow operations"
SHOWN_FRAMES: Final = 12
FUNCTIONS_SHOWN: Final = 4
"""Of a stack on one line."""
GO_RUNTIME: Final = "runtime."


def stacks(section: tuple[Stack, ...], settings: Settings) -> Section:
    """The stacks that took most time, innermost function first."""
    thresholds = {"fs": settings.fs_threshold_ns, "rtt": settings.rtt_threshold_ns}
    files, network = (units.threshold(thresholds[name]) for name in ("fs", "rtt"))
    known = [stack for stack in section if stack.target != OTHER]
    if not section:
        return Section(
            title=TITLE, blocks=(), empty=f"no file operation above {files}, no network call above {network}"
        )
    blocks: list[Block] = [Facts(pairs=(("slow is", f"above {files} on files, above {network} on the network"),))]
    if known:
        blocks.append(_table(known))
    left_out = _left_out(section, known[SHOWN:])
    if left_out:
        blocks.append(Facts(pairs=left_out))
    return Section(title=TITLE, blocks=tuple(blocks))


def _table(entries: list[Stack]) -> Table:
    brief = tuple(row for stack in entries[:SHOWN] for row in _rows(stack, SHOWN_FRAMES))
    every = tuple(row for stack in entries for row in _rows(stack, len(stack.frames)))
    columns = (*right("count", "avg", "p99", "max"), left("operation, its callers below"))
    return Table(columns=columns, rows=brief, every=every)


def _rows(stack: Stack, most: int) -> Iterator[Row]:
    """A row of numbers, and one for each of its innermost functions, at most so many."""
    empty, latency = ("",) * 4, stack.latency
    durations = (units.duration(ns) for ns in (latency.avg_ns, latency.p99_ns, latency.max_ns))
    yield (units.count(stack.count), *durations, Name(operation_text(stack)))
    yield from ((*empty, Name(f"  {frame_text(frame)}")) for frame in stack.frames[:most])
    if not stack.frames:
        yield (*empty, "  (its stack is not known)")
    elif len(stack.frames) > most:
        yield (*empty, f"  and {units.counted(len(stack.frames) - most, 'function')} further out")


def operation_text(stack: Stack) -> str:
    """The operation and what it was about."""
    about = f" {stack.target}" if stack.target else ""
    return f"{stack.operation}{about}{' and others' if stack.target and stack.targets_vary else ''}"


def frame_text(frame: Frame) -> str:
    """A frame on one line: function, file of the program, line of the source; or the place in a file without names."""
    module = frame.module.rpartition("/")[2] or frame.module
    source = (frame.source or "").rpartition("/")[2]
    if frame.symbol is None:
        return f"{module}+{frame.offset:#x}" if frame.offset else module
    return f"{frame.symbol} ({module}){f' {source}' if source else ''}"


def path_text(stack: Sequence[Frame]) -> str:
    """The innermost functions that have a name, each behind its caller; the innermost place where none has.

    Those of Go's runtime, through which every wait goes, stand back where it was called by something else.
    """
    named = [frame.symbol for frame in stack if frame.symbol]
    own = list(dropwhile(lambda name: name.startswith(GO_RUNTIME), named)) or named
    return ", ".join(own[:FUNCTIONS_SHOWN]) or frame_text(stack[0])


def _left_out(section: tuple[Stack, ...], more: list[Stack]) -> tuple[tuple[str, str], ...]:
    """How many operations are not shown: of further stacks, and of those that are in no list."""
    counts = dict.fromkeys(OPERATIONS, 0)
    for stack in (*more, *(stack for stack in section if stack.target == OTHER)):
        counts[stack.operation] += stack.count
    text = ", ".join(f"{name} {units.count(count)}" for name, count in counts.items() if count)
    return (("other stacks", text),) if text else ()
