"""The frames that all other readers' rows refer to by number."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from kubectl_podtrace.wire.stack_records import FrameRow, Frames
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


class Chain(NamedTuple):
    """The addresses of a stack, innermost first. `is_linked`: a register held the second one, perhaps since earlier."""

    addresses: tuple[int, ...]
    is_linked: bool = False

    def told(self, frames: tuple[int, ...], rows: Mapping[int, FrameRow]) -> tuple[int, ...]:
        """The chain's frames, without what the register held of a call that was over.

        Where the innermost function has called somebody, it holds where that one returned to, in the same function;
        where it has called nobody, its own caller.
        """
        if not self.is_linked or len(frames) < 2:
            return frames
        inner, link = rows[frames[0]], rows[frames[1]]
        is_over = inner.symbol and (inner.module, inner.symbol) == (link.module, link.symbol)
        return (frames[0], *frames[2:]) if is_over else frames


class StackFrames:
    """Reads each stack of the programs once, and asks for its frames."""

    def __init__(self, context: TraceContext) -> None:
        self._programs, self._frames, self._machine = context.programs, context.frames, context.host.machine
        self._chains: dict[int, Chain] = {}

    def of(self, image: ImageKey, stack: int) -> tuple[int, ...] | None:
        """The frames of a stack by its hash, innermost first; none for 0, and None as long as they are not known."""
        if not stack:
            return ()
        if stack not in self._chains:
            value = self._programs.value_at("stacks", stack.to_bytes(8, "little"))
            layout = self._programs.value_layout("stack_scratch")
            self._chains[stack] = Chain(()) if value is None else chain_in(value, layout, self._machine)
        chain = self._chains[stack]
        found = self._frames.numbers(image, chain.addresses)
        return found and chain.told(found, self._frames.rows)


def chain_in(value: bytes, layout: Layout, machine: str) -> Chain:
    """Where the functions of a struct stack were: behind a call, so that one byte less is in the call itself."""
    fields = layout.fields(value)
    found = list(struct.unpack_from(f"={fields['count']}Q", fields["frames"]))
    further = struct.unpack_from(f"={len(fields['further']) // 8}Q", fields["further"])
    callers = [caller for caller in (fields["caller"], *further) if caller]
    is_linked = machine == "aarch64" and bool(callers) and callers[0] not in found[:2]
    return Chain(tuple(address - 1 for address in _joined(found, callers)), is_linked)


def _joined(chain: list[int], callers: list[int]) -> list[int]:
    """Puts callers of the innermost frame, which the chain may lack, where it meets them, or in front of the rest."""
    for place, caller in enumerate(callers):
        if caller in chain[:2] or (place and caller in chain):
            return [*chain[:1], *callers[:place], *chain[max(chain.index(caller), 1) :]]
    return [*chain[:1], *callers, *chain[1:]]
