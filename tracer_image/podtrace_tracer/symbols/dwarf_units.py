"""Which unit of a program holds an address, where its compiler said it: a large file need not be read whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from podtrace_tracer.symbols.dwarf_data import Data, DwarfError
from podtrace_tracer.symbols.elf import Elf

MAX_RANGES_BYTES: Final = 8 * 1024 * 1024
MAX_INFO_BYTES: Final = 256 * 1024 * 1024
_STATEMENTS: Final = 0x10  # DW_AT_stmt_list
_IMPLICIT: Final = 0x21  # DW_FORM_implicit_const
_MAX_ABBREVIATIONS: Final = 2_000


def tables_of(elf: Elf, wanted: list[int]) -> list[int]:
    """Where the line tables of the units of some addresses begin; none where the file does not say."""
    sections = [elf.section(name) for name in (".debug_aranges", ".debug_info", ".debug_abbrev")]
    if any(section is None for section in sections):
        return []
    limits = (MAX_RANGES_BYTES, MAX_INFO_BYTES, MAX_INFO_BYTES)
    ranges, info, abbreviations = (
        elf.content(section, most) for section, most in zip(sections, limits, strict=True) if section is not None
    )
    found = []
    for unit in dict.fromkeys(_units(ranges, wanted)):
        try:
            table = _statements(Data(info, unit), abbreviations)
        except (DwarfError, struct.error, IndexError):
            continue
        if table is not None:
            found.append(table)
    return found


def _units(ranges: bytes, wanted: list[int]) -> Iterator[int]:
    data = Data(ranges, 0)
    while data.place + 12 <= len(ranges):
        begin = data.place
        try:
            size, is_long = data.length()
            end = data.place + size
            data.place += 2
            unit = data.number(8 if is_long else 4)
            address_bytes, segment_bytes = data.number(1), data.number(1)
        except DwarfError:
            return
        if address_bytes != 8 or segment_bytes:
            return
        data.place += -(data.place - begin) % 16
        for first, length in struct.iter_unpack(
            "<QQ", ranges[data.place : data.place + max(end - data.place, 0) // 16 * 16]
        ):
            if any(first <= address < first + length for address in wanted):
                yield unit
                break
        if end <= begin:
            return
        data.place = end


def _statements(data: Data, abbreviations: bytes) -> int | None:
    """The place of a unit's line table: an attribute of its first entry."""
    _, is_long = data.length()
    version, offset = data.number(2), 8 if is_long else 4
    if version >= 5:
        kind = data.number(1)
        data.place += 1
        place = data.number(offset)
        data.place += {4: 8, 5: 8, 2: 8 + offset, 6: 8 + offset}.get(kind, 0)
    else:
        place = data.number(offset)
        data.place += 1
    wanted = data.unsigned()
    nothing = {".debug_line_str": b"", ".debug_str": b""}
    for attribute, form in _attributes(Data(abbreviations, place), wanted):
        value = data.form(form, nothing, is_long=is_long)
        if attribute == _STATEMENTS:
            return value if isinstance(value, int) else None
    return None


def _attributes(data: Data, wanted: int) -> list[tuple[int, int]]:
    for _ in range(_MAX_ABBREVIATIONS):
        code = data.unsigned()
        if not code:
            break
        data.unsigned()
        data.number(1)
        found = []
        while any(pair := (data.unsigned(), data.unsigned())):
            if pair[1] == _IMPLICIT:
                data.signed_leb()
            found.append(pair)
        if code == wanted:
            return found
    raise DwarfError("no such abbreviation")
