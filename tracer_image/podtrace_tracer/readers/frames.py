"""The frames that all other readers' rows refer to by number."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from kubectl_podtrace.wire.stack_records import FrameRow, Frames
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.programs.compiled import Layout
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.symbols.frames import ImageKey

RECORD_IMAGE: Final = 5  # of include/stacks.bpf.h
TOP_FRAMES: Final = 2_000
FINAL_PATIENCE_S: Final = 3.0
"""So long the end of a trace waits for names."""
_IMAGE: Final = struct.Struct("=IIIIQQII")


class FrameReader(TopicReader):
    """Looks at the processes that have stacks; tells of frames, behind all readers that use them."""

    def __init__(self, context: TraceContext) -> None:
        self._frames = context.frames
        self._places: dict[int, int] = {}
        context.takers[RECORD_IMAGE] = self._take_image

    def settle(self, ended_ns: int) -> None:  # noqa: ARG002  nothing here depends on the moment
        """Waits a moment for the names that all others have asked for."""
        self._frames.finish(FINAL_PATIENCE_S)

    def tables(self) -> Iterator[KeyedTable]:
        """The frames in use; those that were used first are the most important."""
        for number in self._frames.used:
            self._places.setdefault(number, len(self._places))
        # Whoever sends the table goes on using this order when there are more frames.
        yield KeyedTable(record=Frames, rows=dict(self._frames.used), ranks=(self._rank,), top=TOP_FRAMES)

    def _rank(self, row: FrameRow) -> int:
        return -self._places[row.key]

    def _take_image(self, data: bytes) -> None:
        """A process has a stack that is new: a moment later its map may have gone."""
        _, node_pid, pid, _, start_ns, executions, tgid, _ = _IMAGE.unpack_from(data)
        self._frames.see((start_ns, executions, tgid), node_pid, pid)


class StackFrames:
    """Reads each stack of the programs once, and asks for its frames."""

    def __init__(self, context: TraceContext) -> None:
        self._programs, self._frames = context.programs, context.frames
        self._addresses: dict[int, tuple[int, ...]] = {}

    def of(self, image: ImageKey, stack: int) -> tuple[int, ...] | None:
        """The frames of a stack by its hash, innermost first; none for 0, and None as long as they are not known."""
        if not stack:
            return ()
        if stack not in self._addresses:
            self._addresses[stack] = _addresses(self._programs, stack)
        return self._frames.numbers(image, self._addresses[stack])


def _addresses(programs: Programs, stack: int) -> tuple[int, ...]:
    """Where the functions of a stack were, by its hash: behind a call, so that one byte less is in the call itself."""
    value = programs.value_at("stacks", stack.to_bytes(8, "little"))
    return () if value is None else addresses_in(value, programs.value_layout("stack_scratch"))


def addresses_in(value: bytes, layout: Layout) -> tuple[int, ...]:
    """Where the functions of a struct stack were."""
    fields = layout.fields(value)
    found = list(struct.unpack_from(f"={fields['count']}Q", fields["frames"]))
    further = struct.unpack_from(f"={len(fields['further']) // 8}Q", fields["further"])
    callers = [caller for caller in (fields["caller"], *further) if caller]
    return tuple(address - 1 for address in _joined(found, callers))


def _joined(chain: list[int], callers: list[int]) -> list[int]:
    """Puts callers of the innermost frame, which the chain may lack, where it meets them, or in front of the rest."""
    for place, caller in enumerate(callers):
        if caller in chain[:2] or (place and caller in chain):
            return [*chain[:1], *callers[:place], *chain[max(chain.index(caller), 1) :]]
    return [*chain[:1], *callers, *chain[1:]]
