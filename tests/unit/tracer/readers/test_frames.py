from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from podtrace_tracer.readers.frames import FrameReader
from podtrace_tracer.stream.rowbook import RowBook
from podtrace_tracer.symbols.frames import MAX_FRAMES, FrameBook
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


def test_samples_take_up_a_frame_for_each_function_and_not_for_each_place(tmp_path: Path) -> None:
    start, image = 0x40_0000, (5, 1, 10)
    (tmp_path / "10").mkdir()
    (tmp_path / "10/maps").write_text(f"{start:x}-{2 * start:x} r-xp 00001000 08:01 42 /app\n")
    frames = FrameBook(tmp_path)
    frames.see(image, 10, 10)
    functions = {frames.function(image, address) for address in range(start, start + MAX_FRAMES + 1)}
    assert [(frames.rows[number].module, frames.rows[number].offset) for number in functions if number is not None] == [
        ("/app", 0)
    ]
    (number,) = frames.numbers(image, (start,)) or ()
    assert (frames.rows[number].module, frames.rows[number].offset) == ("/app", 0x1000)
    frames.close()
