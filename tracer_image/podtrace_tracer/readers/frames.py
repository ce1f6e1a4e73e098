"""The frames that all other readers' rows refer to by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace.wire.stack_records import Frames
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext

TOP_FRAMES: Final = 2_000


class FrameReader(TopicReader):
    """Comes behind all readers that use frames."""

    def __init__(self, context: TraceContext) -> None:
        self._frames = context.frames

    def tables(self) -> Iterator[KeyedTable]:
        """The frames in use; those that were used first are the most important."""
        rows = dict(self._frames.used)
        place = {number: at for at, number in enumerate(rows)}
        yield KeyedTable(record=Frames, rows=rows, ranks=(lambda row: -place[row.key],), top=TOP_FRAMES)
