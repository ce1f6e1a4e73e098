"""The frames that all other readers' rows refer to by number."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from kubectl_podtrace.wire.stack_records import FrameRow, Frames
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext

RECORD_IMAGE: Final = 5  # of include/stacks.bpf.h
TOP_FRAMES: Final = 2_000
_IMAGE: Final = struct.Struct("=IIIIQQII")


class FrameReader(TopicReader):
    """Looks at the processes that have stacks; tells of frames, behind all readers that use them."""

    def __init__(self, context: TraceContext) -> None:
        self._frames = context.frames
        context.takers[RECORD_IMAGE] = self._take_image
        self._places: dict[int, int] = {}

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
