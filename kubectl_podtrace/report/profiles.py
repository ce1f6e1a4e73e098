"""The stacks of a report as profiles: what both formats for viewers of flame graphs are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cpu import Cpu
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.stacks import TOPICS as SLOW_TOPICS
from kubectl_podtrace.analysis.stacks import Frame, Stack
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.sections.stacks import frame_text
from kubectl_podtrace.report.text import plain

TOPICS: Final = SLOW_TOPICS | {"cpu"}
"""The topics of which there are stacks."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A frame as viewers show it: `file` is the source, else the program's file; both None where there is none."""

    name: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class Way:
    """A stack, outermost first, and the time that it stands for."""

    places: tuple[Place, ...]
    total_ns: int


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Ways whose times add up."""

    name: str
    ways: tuple[Way, ...]


def profiles(report: Report) -> Iterator[Profile]:
    """Those of the topics that were measured; text in them is one line of visible characters."""
    if report.cpu is not None:
        yield from _of_cpu(report.cpu)
    if report.stacks:
        yield _of_slow_operations(report.stacks)


def _of_cpu(cpu: Cpu) -> Iterator[Profile]:
    """The time on a CPU is known exactly, the samples say how it divides."""
    samples = sum(stack.samples for stack in cpu.stacks)
    if samples:
        ways = tuple(_way("cpu", stack.frames, cpu.on_cpu_ns * stack.samples // samples) for stack in cpu.stacks)
        yield Profile(name=f"CPU ({units.counted(samples, 'sample')})", ways=ways)
    if cpu.off_cpu:
        ways = tuple(_way(f"off-cpu {stack.cause}", stack.frames, stack.total_ns) for stack in cpu.off_cpu)
        yield Profile(name="off CPU", ways=ways)


def _of_slow_operations(stacks: tuple[Stack, ...]) -> Profile:
    """How long those took that are in no list is not known: the name says how many they are."""
    listed = [stack for stack in stacks if stack.target != OTHER]
    others = sum(stack.count for stack in stacks if stack.target == OTHER)
    ways = tuple(
        _way(f"slow {stack.operation}", stack.frames, stack.latency.sum_ns, *_about(stack)) for stack in listed
    )
    return Profile(name=f"slow operations{f' (without {units.count(others)} others)' if others else ''}", ways=ways)


def _about(stack: Stack) -> tuple[Place, ...]:
    """What the operation was about, as the innermost place."""
    if not stack.target:
        return ()
    return (Place(name=plain(f"{stack.target}{' and others' if stack.targets_vary else ''}")),)


def _way(kind: str, frames: Iterable[Frame], total_ns: int, *innermost: Place) -> Way:
    outermost_first = tuple(map(_place, reversed(tuple(frames))))
    return Way(places=(Place(name=kind), *outermost_first, *innermost), total_ns=total_ns)


def _place(frame: Frame) -> Place:
    file, _, line = (frame.source or "").rpartition(":")
    is_known = bool(file) and line.isascii() and line.isdigit()
    where = file if is_known else "" if frame.module.startswith(("(", "[")) else frame.module
    return Place(
        name=plain(frame.symbol or frame_text(frame)) or "[unknown]",
        file=plain(where) or None,
        line=int(line) if is_known else None,
    )
