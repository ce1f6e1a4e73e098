"""The stacks behind the topic cpu: of what ran, by samples, and of waits off the CPU, by their time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from kubectl_podtrace.analysis.selection import NOT_TIMED, Dist, Durations, Selection
from kubectl_podtrace.analysis.stacks import OTHER_FRAME, Frame, FrameBook
from kubectl_podtrace.wire import stack_records

LISTED_STACKS: Final = 200
"""So many stacks a list holds: a flame graph needs more of them than a table of entries."""

Cause = Literal["lock", "disk", "network", "sleep", "other"]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)
"""What threads wait for by themselves; a thread that could run has no stack of waiting."""


@dataclass(frozen=True, kw_only=True)
class CpuStack:
    """Samples that found threads in a function called by these; `frames` are innermost first, without a place.

    In the kernel the first frame is `[kernel]`. The single frame `(other)` stands for what is not listed, and for
    samples whose stack is not known.
    """

    samples: int
    share_ratio: float
    frames: tuple[Frame, ...]


@dataclass(frozen=True, kw_only=True)
class OffCpuStack:
    """Waits of a millisecond and longer for one cause, by the same way; `frames` are innermost first.

    The single frame `(other)` stands for all other waits for that cause: shorter ones, those without a stack, and
    those that are not listed. How long each of them took is not known apart, and the count of `latency` is 0.
    """

    cause: Cause
    count: int
    total_ns: int
    latency: Dist
    frames: tuple[Frame, ...]


def cpu_stacks(selection: Selection) -> tuple[CpuStack, ...]:
    """Those met most often first, then the rest; all add up to the samples."""
    together: Counter[tuple[int, ...]] = Counter()
    for row in selection.rows(stack_records.CpuStacks):
        together[row.frames] += row.samples
    # The stacks can be a second behind the total, or a moment ahead.
    total = max(selection.of("cpu.run").count, together.total())
    known = [(frames, samples) for frames, samples in together.items() if frames and samples]
    known.sort(key=lambda item: (-item[1], item[0]))
    book = FrameBook(selection)
    listed = [(book.frames(frames), samples) for frames, samples in known[:LISTED_STACKS]]
    rest = total - sum(samples for _, samples in listed)
    if rest:
        listed.append(((OTHER_FRAME,), rest))
    return tuple(CpuStack(samples=samples, share_ratio=samples / total, frames=frames) for frames, samples in listed)


def off_cpu_stacks(selection: Selection) -> tuple[OffCpuStack, ...]:
    """Those that took most time first, then the rest of each cause; all add up to the waits of their cause."""
    together: dict[tuple[Cause, tuple[int, ...]], Durations] = {}
    names: dict[str, Cause] = {f"cpu.{cause}": cause for cause in CAUSES}
    for row in selection.rows(stack_records.OffCpuStacks):
        if row.operation in names and row.frames and row.count:
            durations = together.setdefault((names[row.operation], row.frames), Durations())
            durations.add(count=row.count, sum_ns=row.total_ns, max_ns=row.max_ns, buckets=row.buckets)
    ordered = sorted(together.items(), key=lambda item: (-item[1].sum_ns, item[0]))[:LISTED_STACKS]
    book = FrameBook(selection)
    listed = tuple(
        OffCpuStack(
            cause=cause,
            count=durations.count,
            total_ns=durations.sum_ns,
            latency=durations.dist(),
            frames=book.frames(frames),
        )
        for (cause, frames), durations in ordered
    )
    return (*listed, *_other_waits(selection, listed))


def _other_waits(selection: Selection, listed: Iterable[OffCpuStack]) -> tuple[OffCpuStack, ...]:
    """The waits of each cause that are in no stack of the list. A stack's own counters can be ahead of the totals."""
    counts: Counter[Cause] = Counter()
    times: Counter[Cause] = Counter()
    for stack in listed:
        counts[stack.cause] += stack.count
        times[stack.cause] += stack.total_ns
    totals: dict[Cause, Any] = {cause: selection.of(f"cpu.{cause}") for cause in CAUSES}
    return tuple(
        OffCpuStack(
            cause=cause,
            count=total.count - counts[cause],
            total_ns=max(total.sum_ns - times[cause], 0),
            latency=NOT_TIMED,
            frames=(OTHER_FRAME,),
        )
        for cause, total in totals.items()
        if total.count > counts[cause]
    )
