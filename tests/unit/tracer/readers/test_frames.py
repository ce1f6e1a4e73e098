from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from podtrace_tracer.readers.frames import FrameReader
from podtrace_tracer.stream.rowbook import RowBook
from podtrace_tracer.symbols.frames import FrameBook
from tests.unit.tracer.memory_programs import MemoryPrograms
from tests.unit.tracer.readers.test_cpu import context_of


def test_frames_that_are_used_later_have_a_place_in_the_order_that_was_given_first(tmp_path: Path) -> None:
    frames = FrameBook()
    reader = FrameReader(replace(context_of(MemoryPrograms(), tmp_path), frames=frames))
    frames.use([frames.of_name("first")])
    (table,) = reader.tables()
    book = RowBook(*table.ranks, top=table.top)
    assert [row.module for row in book.changed(table.rows)] == ["first"]
    frames.use([frames.of_name("second"), frames.of_name("third")])
    (table,) = reader.tables()
    assert [row.module for row in book.changed(table.rows)] == ["second", "third"]
    assert [row.module for row in book.ordered(table.rows.values())] == ["first", "second", "third"]
    frames.close()
