"""The frames that all other readers' rows refer to by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace.wire.stack_records import FrameRow, Frames
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext

TOP_FRAMES: Final = 2_000


class FrameReader(TopicReader):
    """Comes behind all readers that use frames."""

    def __init__(self, context: TraceContext) -> None:
        self._frames = context.frames
        self._places: dict[int, int] = {}

    def tables(self) -> Iterator[KeyedTable]:
        """The frames in use; those that were used first are the most important."""
        for number in self._frames.used:
            self._places.setdefault(number, len(self._places))
        # Whoever sends the table goes on using this order when there are more frames.
        yield KeyedTable(record=Frames, rows=dict(self._frames.used), ranks=(self._rank,), top=TOP_FRAMES)

    def _rank(self, row: FrameRow) -> int:
        return -self._places[row.key]
