"""Stacks: the operations above their threshold, by the functions that led to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.analysis.selection import LISTED, NOT_TIMED, OTHER, Dist, Durations, Selection
from kubectl_podtrace.wire import stack_records

OPERATIONS: Final = {
    "files.read": "fs", "files.write": "fs", "files.fsync": "fs", "files.open": "fs", "files.unlink": "fs",
    "files.rename": "fs", "tcp.send": "rtt", "tcp.receive": "rtt", "udp.send": "rtt", "udp.receive": "rtt",
    "dns.lookup": "rtt", "connections.attempt": "rtt",
}  # fmt: skip
"""Operations whose stacks are taken, and the threshold above which they are."""
TOPICS: Final = frozenset(name.partition(".")[0] for name in OPERATIONS)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A place in a program: `symbol` is the function, `source` its line; null where the file does not tell.

    `offset` is the place in the file `module` as the file's own addresses count.
    """

    symbol: str | None
    module: str
    offset: int
    source: str | None
    build_id: str | None


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Operations above their threshold that came by the same way: `frames` are innermost first.

    `target` is what the slowest was about, null where that is not known; `targets_vary` says that others were about
    something else. The target `(other)` stands for an operation's stacks that are not listed; how long they took is
    not known then, and the count of `latency` is 0.
    """

    operation: str
    target: str | None
    targets_vary: bool
    count: int
    latency: Dist
    frames: tuple[Frame, ...]


def stacks(selection: Selection) -> tuple[Stack, ...]:
    """The section `stacks`: those that took most time in all first, then what is not listed of each operation."""
    book = FrameBook(selection)
    together: dict[tuple[str, tuple[Frame, ...]], list[stack_records.StackRow]] = {}
    for row in selection.rows(stack_records.Stacks):
        if row.count and row.operation in OPERATIONS:
            together.setdefault((row.operation, book.frames(row.frames)), []).append(row)
    found = [(sum(row.total_ns for row in rows), _stack(what, rows)) for what, rows in together.items()]
    found.sort(key=lambda pair: (-pair[0], pair[1].operation, pair[1].target or ""))
    listed = [stack for _, stack in found[:LISTED]]
    return (*listed, *_rest(selection, listed))


class FrameBook:
    """What the numbers of frames stand for."""

    def __init__(self, selection: Selection) -> None:
        self._rows: dict[int, stack_records.FrameRow] = {row.key: row for row in selection.rows(stack_records.Frames)}
        self._frames: dict[int, Frame] = {}

    def frames(self, numbers: Iterable[int]) -> tuple[Frame, ...]:
        """Frames by their numbers; one that did not arrive has no name."""
        return tuple(self._frames.get(number) or self._read(number) for number in numbers)

    def _read(self, number: int) -> Frame:
        """Only what stands in a list is made a frame: a stream can tell of thousands."""
        row = self._rows.get(number)
        found = self._frames[number] = _UNKNOWN if row is None else _frame(row)
        return found


def _frame(row: stack_records.FrameRow) -> Frame:
    return Frame(
        symbol=row.symbol or None,
        module=row.module,
        offset=row.offset,
        source=row.source or None,
        build_id=row.build_id or None,
    )


_UNKNOWN: Final = Frame(symbol=None, module="[unknown]", offset=0, source=None, build_id=None)
OTHER_FRAME: Final = Frame(symbol=OTHER, module=OTHER, offset=0, source=None, build_id=None)
"""In place of the frames of all that is not listed."""


def _stack(what: tuple[str, tuple[Frame, ...]], rows: list[stack_records.StackRow]) -> Stack:
    operation, frames = what
    durations = Durations()
    for row in rows:
        durations.add(count=row.count, sum_ns=row.total_ns, max_ns=row.max_ns, buckets=row.buckets)
    slowest = max(rows, key=lambda row: row.max_ns)
    return Stack(
        operation=operation,
        target=slowest.target or None,
        targets_vary=any(row.targets_vary or row.target != slowest.target for row in rows),
        count=durations.count,
        latency=durations.dist(),
        frames=frames,
    )


def _rest(selection: Selection, listed: list[Stack]) -> tuple[Stack, ...]:
    """The slow ones of each operation that are in no stack of the list."""
    seen: Counter[str] = Counter()
    for stack in listed:
        seen[stack.operation] += stack.count
    rest = {name: selection.of(name).slow - seen[name] for name in OPERATIONS}
    return tuple(
        Stack(operation=name, target=OTHER, targets_vary=True, count=count, latency=NOT_TIMED, frames=())
        for name, count in rest.items()
        if count > 0
    )
