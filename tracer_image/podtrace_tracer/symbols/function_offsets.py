"""Where functions of some names are in a file: the other way round than symbols are looked up for stacks."""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Final

from podtrace_tracer.symbols.elf import MAX_SYMBOL_BYTES, Elf, ElfError, Section, reader

_SYMBOL: Final = struct.Struct("<IBBHQQ")
_LOAD: Final = 1
_TABLES: Final = (2, 11)  # SHT_SYMTAB, SHT_DYNSYM
_FUNCTION: Final = 2
_LONGEST_NAME: Final = 64
_MAX_NAMES_BYTES: Final = 32 * 1024 * 1024


def function_offsets(descriptor: int, names: Collection[str]) -> dict[str, int]:
    """The offsets in an open file of those of these functions that it has. Raises ElfError for what is no ELF file."""
    elf = Elf(reader(descriptor))
    wanted, found = {name.encode() for name in names}, dict[bytes, int]()
    for table in elf.sections:
        if table.kind in _TABLES and table.link < len(elf.sections) and wanted - set(found):
            found = _addresses(elf, table, elf.sections[table.link], wanted) | found
    offsets = {name.decode(): _offset(elf, address) for name, address in found.items()}
    return {name: offset for name, offset in offsets.items() if offset is not None}


def _addresses(elf: Elf, table: Section, strings: Section, names: set[bytes]) -> dict[bytes, int]:
    texts = elf.content(strings, _MAX_NAMES_BYTES)
    if not any(texts.find(name + b"\0") >= 0 for name in names):
        return {}  # most files: their symbols need not be walked through
    data = elf.content(table, MAX_SYMBOL_BYTES)
    found = {}
    for name_at, kind, _, section, address, _ in _SYMBOL.iter_unpack(data[: len(data) // _SYMBOL.size * _SYMBOL.size]):
        if section and kind & 15 == _FUNCTION:
            name = texts[name_at : name_at + _LONGEST_NAME].split(b"\0", 1)[0]
            if name in names:
                found[name] = address
    return found


def _offset(elf: Elf, address: int) -> int | None:
    for segment in elf.segments:
        if segment.kind == _LOAD and segment.is_code and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    return None


__all__ = ["ElfError", "function_offsets"]
