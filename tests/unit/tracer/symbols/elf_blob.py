"""Small ELF files, made by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

CODE_AT, CODE_BYTES = 0x1000, 0x1000
LOADED_AT = 0x40_0000
DATA_AT, DATA_BYTES, DATA_ROOM = 0x800, 0x100, 0x400
DATA_LOADED_AT = 0x60_0800
FUNCTION, OBJECT = 0x12, 0x11
BUILD_ID = bytes(range(20))


@dataclass(frozen=True, kw_only=True)
class Symbol:
    name: str
    address: int
    size: int = 16
    info: int = FUNCTION
    section: int = 1


@dataclass(frozen=True, kw_only=True)
class Extra:
    """A section beside those of the symbols."""

    name: str
    content: bytes
    flags: int = 0


@dataclass
class _File:
    data: bytearray = field(default_factory=lambda: bytearray(CODE_AT + CODE_BYTES))

    def put(self, content: bytes) -> int:
        place = len(self.data)
        self.data += content
        return place


def elf(symbols: Sequence[Symbol] = (), *, dynamic: Sequence[Symbol] = (), extras: Sequence[Extra] = ()) -> bytes:
    """A segment of code, one of variables, a build-id, and sections for the symbols."""
    file = _File()
    note = struct.pack("<III4s", 4, len(BUILD_ID), 3, b"GNU\0") + BUILD_ID
    note_at = file.put(note)
    sections = [(b"", 0, 0, 0, 0, 0, 0), (b".text", 1, 0, LOADED_AT + CODE_AT, CODE_AT, CODE_BYTES, 0)]
    for name, kind, table in ((b".symtab", 2, symbols), (b".dynsym", 11, dynamic)):
        if not table:
            continue
        names, entries = b"\0", bytes(24)
        for symbol in table:
            entries += struct.pack("<IBBHQQ", len(names), symbol.info, 0, symbol.section, symbol.address, symbol.size)
            names += symbol.name.encode() + b"\0"
        sections.append((name, kind, 0, 0, file.put(entries), len(entries), len(sections) + 1))
        sections.append((b".strtab", 3, 0, 0, file.put(names), len(names), 0))
    sections.extend(
        (each.name.encode(), 1, each.flags, 0, file.put(each.content), len(each.content), 0) for each in extras
    )
    names = b"".join(section[0] + b"\0" for section in sections) + b".shstrtab\0"
    sections.append((b".shstrtab", 3, 0, 0, file.put(names), len(names), 0))
    segments = struct.pack("<IIQQQQQQ", 1, 5, CODE_AT, LOADED_AT + CODE_AT, 0, CODE_BYTES, CODE_BYTES, 4096)
    segments += struct.pack("<IIQQQQQQ", 1, 6, DATA_AT, DATA_LOADED_AT, 0, DATA_BYTES, DATA_ROOM, 4096)
    segments += struct.pack("<IIQQQQQQ", 4, 4, note_at, 0, 0, len(note), len(note), 4)
    segments_at = file.put(segments)
    headers = b""
    for name, kind, flags, address, offset, size, link in sections:
        headers += struct.pack(
            "<IIQQQQIIQQ", names.find(name + b"\0"), kind, flags, address, offset, size, link, 0, 0, 0
        )
    sections_at = file.put(headers)
    file.data[:64] = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, segments_at, sections_at, 0, 64, 56, 3, 64,
        len(sections), len(sections) - 1,
    )  # fmt: skip
    return bytes(file.data)


def read_of(data: bytes) -> Callable[[int, int], bytes]:
    return lambda place, size: data[place : place + size] if place >= 0 else b""
