"""Functions of ELF files that were made by hand, whole ones and broken ones."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtrace_tracer.symbols.elf import Elf, ElfError
from podtrace_tracer.symbols.program_file import ProgramFile
from tests.unit.tracer.symbols.elf_blob import (
    BUILD_ID,
    CODE_AT,
    DATA_AT,
    DATA_BYTES,
    DATA_LOADED_AT,
    DATA_ROOM,
    LOADED_AT,
    OBJECT,
    Extra,
    Symbol,
    elf,
    read_of,
)

START = LOADED_AT + CODE_AT
SYMBOLS = (
    Symbol(name="main", address=START, size=0x20),
    Symbol(name="__fsync", address=START + 0x40, size=0x10),
    Symbol(name="fsync", address=START + 0x40, size=0x10),
    Symbol(name="assembly", address=START + 0x80, size=0),
    Symbol(name="table", address=START + 0x20, size=0x20, info=OBJECT),
    Symbol(name="elsewhere", address=START + 0x20, size=0x20, section=0),
)
WHOLE = elf(SYMBOLS, dynamic=(Symbol(name="exported", address=START + 0x60, size=0x10),), extras=(
    Extra(name=".gopclntab", content=bytes.fromhex("f1ffffff00000108") + bytes(64)),
    Extra(name=".debug_line", content=bytes(80)),
    Extra(name=".gnu_debugdata", content=b"\xfd7zXZ" + bytes(40)),
))  # fmt: skip


def name_at(data: bytes, offset: int) -> str:
    file = Elf(read_of(data))
    address = file.address_of(offset)
    assert address is not None
    found = (table.find(address) for table in file.functions)
    return next((function.name for function in found if function), "")


@pytest.mark.parametrize(
    ("at", "name"),
    [
        (0, "main"), (0x1F, "main"), (0x20, ""), (0x3F, ""), (0x40, "fsync"), (0x4F, "fsync"), (0x60, "exported"),
        (0x80, "assembly"), (0xF00, "assembly"),
    ],
)  # fmt: skip
def test_an_offset_lies_in_the_function_whose_size_reaches_so_far(at: int, name: str) -> None:
    assert name_at(WHOLE, CODE_AT + at) == name


def test_what_a_stripped_library_exports_without_a_size_reaches_as_far_as_such_functions_are_long() -> None:
    exported = (Symbol(name="memset", address=START, size=0), Symbol(name="next", address=START + 0x1000, size=1))
    stripped = elf(dynamic=exported)
    assert (name_at(stripped, CODE_AT), name_at(stripped, CODE_AT + 0x7F)) == ("memset", "memset")
    assert name_at(stripped, CODE_AT + 0x80) == ""


def test_variables_have_names_also_behind_what_is_in_the_file() -> None:
    variables = (
        Symbol(name="shelves", address=DATA_LOADED_AT + 8, size=16, info=OBJECT),
        Symbol(name="in_zeros", address=DATA_LOADED_AT + DATA_BYTES, size=4, info=OBJECT),
        Symbol(name="without_size", address=DATA_LOADED_AT + 0x200, size=0, info=OBJECT),
        Symbol(name="function", address=DATA_LOADED_AT + 0x300, size=4),
    )
    descriptor = os.memfd_create("program")
    os.write(descriptor, elf(variables))
    offsets = [0, 7, 8, 12, 24, DATA_BYTES, 0x200, 0x300, DATA_ROOM, -DATA_AT]
    places = ProgramFile(descriptor).places([DATA_AT + offset for offset in offsets], wanted="variable")
    os.close(descriptor)
    assert [place.symbol for place in places] == ["", "", "shelves", "shelves+0x4", "", "in_zeros", "", "", "", ""]
    assert places[5].address == DATA_LOADED_AT + DATA_BYTES


def test_an_offset_that_is_not_loaded_has_no_address() -> None:
    assert Elf(read_of(WHOLE)).address_of(0) is None
    assert Elf(read_of(WHOLE)).address_of(CODE_AT + 5) == START + 5


def test_the_build_id_is_the_linkers() -> None:
    assert Elf(read_of(WHOLE)).build_id == BUILD_ID.hex()


def test_a_compressed_section_is_unpacked_up_to_a_limit() -> None:
    content = b"lines" * 1000
    packed = b"\x01\0\0\0\0\0\0\0" + len(content).to_bytes(8, "little") + bytes(8) + zlib.compress(content)
    file = Elf(read_of(elf(extras=(Extra(name=".debug_line", content=packed, flags=0x800),))))
    section = file.section(".debug_line")
    assert section is not None
    assert file.content(section, 10_000) == content
    assert file.content(section, 1_000) == b""


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(80), b"#!/bin/sh\n" * 20])
def test_what_is_no_program_is_refused(data: bytes) -> None:
    with pytest.raises(ElfError):
        Elf(read_of(data))


def places_of(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        ProgramFile(descriptor).places([CODE_AT, CODE_AT + 0x45, 0, 2**62])
    except ElfError:
        pass
    finally:
        os.close(descriptor)


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=30))
def test_a_file_with_any_bytes_changed_is_read_to_an_end(
    changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(WHOLE)
    for place, value in changes:
        # The zeros of the code say nothing: most changes are to fall on headers and tables.
        data[place if place < 64 or place >= CODE_AT else len(data) - 1 - place % 1500] = value
    places_of(bytes(data), tmp_path_factory.getbasetemp() / "changed")


@settings(max_examples=50, deadline=None)
@given(end=st.integers(0, len(WHOLE)))
def test_a_file_that_is_cut_anywhere_is_read_to_an_end(end: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    places_of(WHOLE[:end], tmp_path_factory.getbasetemp() / "cut")
