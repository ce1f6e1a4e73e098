"""Stacks as flame graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.stacks import Stack
from kubectl_podtrace.report.charts.chart import Flame
from kubectl_podtrace.report.sections.stacks import frame_text, operation_text

SMALLEST: Final = 1_000
"""What is less than one part in so many of the whole is too narrow to be drawn."""


@dataclass(kw_only=True)
class _Node:
    value: int = 0
    callees: dict[str, _Node] = field(default_factory=dict)


def slow_operations(section: tuple[Stack, ...]) -> tuple[Flame, ...]:
    """Operations above their threshold by the functions that led to them, as wide as the time that they took."""
    ways = [
        ((operation_text(stack), *(frame_text(frame) for frame in reversed(stack.frames))), stack.latency.sum_ns)
        for stack in section
        if stack.target != OTHER and stack.frames
    ]
    return flame("Slow operations by the functions that led to them", "slow operations", ways, units.duration)


def flame(
    title: str, root: str, ways: Iterable[tuple[Sequence[str], int]], text_of: Callable[[int], str]
) -> tuple[Flame, ...]:
    """The flame graph of ways, each the names from the outermost to the innermost and its amount; none of nothing."""
    whole = _Node()
    stacks = 0
    for names, amount in ways:
        stacks += 1
        node = whole
        node.value += amount
        for name in names:
            node = node.callees.setdefault(name, _Node())
            node.value += amount
    if not whole.value:
        return ()
    places: dict[str, int] = {}
    nodes = tuple(
        (depth, places.setdefault(name, len(places)), node.value, _text(node.value, whole.value, text_of))
        for depth, name, node in _walk(root, whole)
    )
    summary = f"{units.counted(stacks, 'stack')}, {text_of(whole.value)}"
    return (Flame(title=title, summary=summary, names=tuple(places), nodes=nodes),)


def _walk(root: str, whole: _Node) -> Iterator[tuple[int, str, _Node]]:
    """Each node before its callees, the widest of which comes first."""
    waiting = [(0, root, whole)]
    while waiting:
        depth, name, node = waiting.pop()
        yield depth, name, node
        callees = sorted(node.callees.items(), key=lambda item: (item[1].value, item[0]))
        waiting.extend((depth + 1, name, callee) for name, callee in callees if callee.value * SMALLEST >= whole.value)


def _text(value: int, total: int, text_of: Callable[[int], str]) -> str:
    return f"{text_of(value)}, {units.ratio(value / total)}"
