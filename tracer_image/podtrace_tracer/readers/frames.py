"""The frames that all other readers' rows refer to by number."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from kubectl_podtrace.wire.stack_records import FrameRow, Frames
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext

RECORD_IMAGE: Final = 5  # of include/stacks.bpf.h
TOP_FRAMES: Final = 2_000
_IMAGE: Final = struct.Struct("=IIIIQQII")


class FrameReader(TopicReader):
    """Looks at the processes that have stacks; tells of frames, behind all readers that use them."""

    def __init__(self, context: TraceContext) -> None:
        self._frames = context.frames
        self._places: dict[int, int] = {}
        context.takers[RECORD_IMAGE] = self._take_image

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


def stack_addresses(programs: Programs, stack: int) -> tuple[int, ...]:
    """Where the functions of a stack were, by its hash: behind a call, so that one byte less is in the call itself."""
    value = programs.value_at("stacks", stack.to_bytes(8, "little"))
    if value is None:
        return ()
    fields = programs.value_layout("stack_scratch").fields(value)
    found = list(struct.unpack_from(f"={fields['count']}Q", fields["frames"]))
    if fields["caller"] and fields["caller"] not in found[:2]:
        found.insert(1, fields["caller"])
    return tuple(address - 1 for address in found)
