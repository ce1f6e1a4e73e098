from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_podtrace.wire.stack_records import FrameRow
from podtrace_tracer.readers.frames import Chain, FrameReader, StackFrames, chain_in
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


@pytest.mark.parametrize(
    ("symbols", "is_linked", "told"),
    [
        (("leaf", "caller", "main"), True, (0, 1, 2)),
        (("busy", "busy", "caller", "main"), True, (0, 2, 3)),  # where its last call returned to
        (("fib", "fib", "fib", "main"), False, (0, 1, 2, 3)),  # the kernel's own chain
        (("", "", "main"), True, (0, 1, 2)),  # functions without names can be different ones
        (("leaf",), True, (0,)),
    ],
)
def test_what_a_register_held_of_an_earlier_call_is_no_caller(
    symbols: tuple[str, ...], is_linked: bool, told: tuple[int, ...]
) -> None:
    rows = {
        number: FrameRow(key=number, symbol=symbol, module="/app", offset=number, source="", build_id="")
        for number, symbol in enumerate(symbols)
    }
    assert Chain(tuple(range(len(symbols))), is_linked).told(tuple(rows), rows) == told


@pytest.mark.parametrize(("machine", "is_linked"), [("aarch64", True), ("x86_64", False)])
def test_only_arm64_has_callers_in_a_register(machine: str, is_linked: bool) -> None:
    programs = MemoryPrograms()
    layout = programs.value_layout("stack_scratch")
    value = programs.value("stack_scratch", caller=0x103, count=2)
    frames = b"".join(address.to_bytes(8, "little") for address in (0x101, 0x105, *[0] * 62))
    assert chain_in(frames + value[512:], layout, machine) == Chain((0x100, 0x102, 0x104), is_linked)
    again = programs.value("stack_scratch", caller=0x105, count=2)
    assert chain_in(frames + again[512:], layout, machine) == Chain((0x100, 0x104), is_linked=False)


def test_samples_take_up_a_frame_for_each_function_and_not_for_each_place(tmp_path: Path) -> None:
    start, image = 0x40_0000, (5, 1, 10)
    (tmp_path / "10").mkdir()
    (tmp_path / "10/maps").write_text(f"{start:x}-{2 * start:x} r-xp 00001000 08:01 42 /app\n")
    frames = FrameBook(tmp_path)
    frames.see(image, 10, 10)
    functions = {frames.numbers(image, (address,), "function") for address in range(start, start + MAX_FRAMES + 1)}
    numbers = [number for found in functions for number in found or ()]
    assert [(frames.rows[number].module, frames.rows[number].offset) for number in numbers] == [("/app", 0)]
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


@pytest.mark.parametrize(
    ("chain", "callers", "whole"),
    [
        ([10, 20, 30], [], [10, 20, 30]),
        ([10, 20, 30], [20], [10, 20, 30]),
        ([10, 30, 40], [20], [10, 20, 30, 40]),  # the innermost has no frame
        ([10, 40, 50], [20, 30, 40], [10, 20, 30, 40, 50]),  # nor has its caller
        ([10], [20, 30], [10, 20, 30]),  # the chain is broken
        ([10, 40], [20, 30], [10, 20, 30, 40]),
    ],
)
def test_callers_that_keep_no_frame_stand_before_those_of_the_chain(
    chain: list[int], callers: list[int], whole: list[int], tmp_path: Path
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/maps").write_text("00000000-00001000 r-xp 00000000 08:01 9 /app\n")
    programs, frames = MemoryPrograms(), FrameBook(tmp_path)
    caller, *further = callers or [0]
    stack = programs.value("stacks", count=len(chain), caller=caller, frames=tuple(chain), further=tuple(further))
    programs.put("stacks", 5, stack)
    frames.see((1, 1, 7), 7, 7)
    stacks = StackFrames(replace(context_of(programs, tmp_path), frames=frames))
    stacks.of((1, 1, 7), 5)
    frames.finish(1)
    assert [frames.rows[number].offset for number in stacks.of((1, 1, 7), 5) or ()] == [each - 1 for each in whole]
