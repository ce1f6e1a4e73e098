"""Stacks as flame graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cpu import Cpu
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.stacks import OTHER_FRAME, Frame, Stack
from kubectl_podtrace.report.charts.bars import CAUSES
from kubectl_podtrace.report.charts.chart import Flame
from kubectl_podtrace.report.sections.stacks import frame_text, operation_text
from kubectl_podtrace.wire.topics import LONG_WAIT_NS

SMALLEST: Final = 1_000
"""What is less than one part in so many of the whole is too narrow to be drawn."""


@dataclass(kw_only=True)
class _Node:
    value: int = 0
    callees: dict[str, _Node] = field(default_factory=dict)


def slow_operations(section: tuple[Stack, ...]) -> tuple[Flame, ...]:
    """Operations above their threshold by the functions that led to them, as wide as the time that they took."""
    ways = [
        ((operation_text(stack), *_names(stack.frames, OTHER)), stack.latency.sum_ns)
        for stack in section
        if stack.target != OTHER and stack.frames
    ]
    return flame("Slow operations by the functions that led to them", "slow operations", ways, units.duration)


def on_cpu(section: Cpu) -> tuple[Flame, ...]:
    """What ran, as wide as the samples that found it."""
    ways = [(_names(stack.frames, "(stacks not known or not listed)"), stack.samples) for stack in section.stacks]
    return flame("What ran on the CPU", "all samples", ways, lambda samples: units.counted(samples, "sample"))


def off_cpu(section: Cpu) -> tuple[Flame, ...]:
    """Where threads waited, by what for, as wide as the time that they waited there."""
    rest = f"(shorter than {units.threshold(LONG_WAIT_NS)}, or stacks not known or not listed)"
    labels = dict(CAUSES)
    ways = [((labels[stack.cause], *_names(stack.frames, rest)), stack.total_ns) for stack in section.off_cpu]
    return flame("Where threads waited off the CPU", "all waits", ways, units.duration)


def _names(frames: Sequence[Frame], other: str) -> tuple[str, ...]:
    """The names of frames from the outermost on."""
    return tuple(other if frame == OTHER_FRAME else frame_text(frame) for frame in reversed(frames))


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
