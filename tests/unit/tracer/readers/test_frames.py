from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from podtrace_tracer.readers.frames import FrameReader
from podtrace_tracer.stream.rowbook import RowBook
from podtrace_tracer.symbols.frames import MAX_FRAMES, FrameBook
from tests.unit.tracer.memory_programs import MemoryPrograms
from tests.unit.tracer.readers.test_cpu import context_of
from tests.unit.tracer.symbols.elf_blob import CODE_AT, LOADED_AT, Symbol, elf

ROOT = Path(__file__).parents[4]


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


def test_a_program_of_more_files_than_are_held_open_is_named_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'tracer_image'}:{ROOT}")
    image, starts, files = (5, 1, 10), range(0x40_0000, 0x90_0000, 0x1_0000), tmp_path / "10/map_files"
    files.mkdir(parents=True)
    maps = ""
    for inode, start in enumerate(starts, start=1):
        maps += f"{start:x}-{start + 0x1000:x} r-xp {CODE_AT:08x} 08:01 {inode} /lib/{inode}.so\n"
        code = Symbol(name=f"function_{inode}", address=LOADED_AT + CODE_AT, size=0x20)
        (files / f"{start:x}-{start + 0x1000:x}").write_bytes(elf([code]))
    (tmp_path / "10/maps").write_text(maps)
    frames = FrameBook(tmp_path)
    frames.see(image, 10, 10)
    addresses = list(starts)
    assert frames.numbers(image, addresses) is None
    frames.finish(30)
    numbers = frames.numbers(image, addresses) or ()
    assert [frames.rows[number].symbol for number in numbers] == [
        f"function_{inode}" for inode in range(1, len(starts) + 1)
    ]
    frames.close()
