"""Functions of an ELF file by address. Whatever the file holds, reading it ends soon and takes bounded memory.

Files belong to containers: every number in them is doubted, and they are read by `pread`, since a file that is mapped
and cut short would kill its reader.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

MAX_SYMBOL_BYTES: Final = 24 * 1024 * 1024
"""A million symbols."""
MAX_NAME: Final = 4096
_MAX_SECTIONS: Final = 8192
_MAX_SEGMENTS: Final = 512
_MAX_SECTION_NAMES: Final = 1024 * 1024
_MAX_NOTES: Final = 64 * 1024
_MAX_BUILD_ID: Final = 32

_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_NOTE: Final = struct.Struct("<III")
_SYMBOL_BYTES: Final = 24
_LOAD, _NOTES_SEGMENT = 1, 4  # PT_
_SYMTAB, _NOBITS, _DYNSYM = 2, 8, 11  # SHT_
_COMPRESSED: Final = 0x800  # SHF_
_ZLIB: Final = 1  # ELFCOMPRESS_
_BUILD_ID: Final = 3  # NT_GNU_BUILD_ID
_FUNCTIONS: Final = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_VARIABLES: Final = (1,)  # STT_OBJECT
_WHOLE_REACH: Final = 1 << 64
_EXPORTED_REACH: Final = 128
"""Functions without a size are written by hand, and short. Where a file names only what it exports, others that it does
not name may stand behind them: the system calls of musl behind its memset."""

Read = Callable[[int, int], bytes]
"""So many bytes from a place; fewer where the file ends."""


def reader(descriptor: int) -> Read:
    """Reads a file that may be cut short, or have numbers in it that no file reaches."""

    def read(place: int, size: int) -> bytes:
        try:
            return os.pread(descriptor, size, place)
        except (OSError, OverflowError, ValueError, MemoryError):
            return b""

    return read


class ElfError(ValueError):
    """It is no ELF file of 64 bits, or a broken one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A part of the file that is loaded to addresses of its own; `room` bytes, of which `size` come from the file."""

    kind: int
    offset: int
    address: int
    size: int
    room: int
    is_code: bool
    is_writable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of the file that has a name."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Symbol:
    """A function or variable by its name in the file (mangled), and where it begins."""

    name: str
    address: int


class Elf:
    """An ELF file. Raises ElfError where it cannot be read at all; what is broken in it is as if it were not there."""

    def __init__(self, read: Read) -> None:
        self._read = read
        head = read(0, _HEADER.size)
        if len(head) < _HEADER.size or head[:6] != b"\x7fELF\x02\x01":
            raise ElfError("not an ELF file of 64 bits")
        fields = _HEADER.unpack(head)
        self._segments_at, self._sections_at = fields[5], fields[6]
        self._segment_bytes, self._segment_count = fields[9], fields[10]
        self._section_bytes, self._section_count, self._names_section = fields[11], fields[12], fields[13]

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The program headers."""
        if self._segment_bytes != _SEGMENT.size or self._segment_count > _MAX_SEGMENTS:
            return ()
        data = self._whole(self._segments_at, self._segment_count * _SEGMENT.size)
        return tuple(
            Segment(
                kind=kind,
                offset=offset,
                address=address,
                size=size,
                room=room,
                is_code=bool(flags & 1),
                is_writable=bool(flags & 2),
            )
            for kind, flags, offset, address, _, size, room, _ in _SEGMENT.iter_unpack(data)
        )

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The section headers; a stripped file may have none."""
        if self._section_bytes != _SECTION.size or not 0 < self._section_count <= _MAX_SECTIONS:
            return ()
        rows = list(_SECTION.iter_unpack(self._whole(self._sections_at, self._section_count * _SECTION.size)))
        if self._names_section >= len(rows):
            return ()
        place, size = rows[self._names_section][4], rows[self._names_section][5]
        names = self._whole(place, min(size, _MAX_SECTION_NAMES))
        return tuple(
            Section(
                name=names[name : names.find(b"\0", name)].decode("utf-8", "replace") if name < len(names) else "",
                kind=kind, flags=flags, address=address, offset=offset, size=size, link=link,
            )
            for name, kind, flags, address, offset, size, link, _, _, _ in rows
        )  # fmt: skip

    def section(self, name: str) -> Section | None:
        """The section of this name."""
        return next((section for section in self.sections if section.name == name), None)

    def content(self, section: Section, most: int) -> bytes:
        """What a section holds, decompressed; nothing where that is more than so many bytes."""
        if section.kind == _NOBITS or section.size > most:
            return b""
        data = self._whole(section.offset, section.size)
        if not section.flags & _COMPRESSED or len(data) < 24:
            return data
        kind, _, size, _ = struct.unpack_from("<IIQQ", data)
        if kind != _ZLIB or size > most:
            return b""
        try:
            return zlib.decompressobj().decompress(data[24:], most)
        except zlib.error:
            return b""

    def address_of(self, offset: int) -> int | None:
        """The address, as the file itself counts, of a place in the file."""
        for segment in self.segments:
            if segment.kind == _LOAD and segment.offset <= offset < segment.offset + segment.size:
                return offset - segment.offset + segment.address
        return None

    def variable_address_of(self, offset: int) -> int | None:
        """The address of a place in the file's own variables, whose zeros go on behind what is in the file."""
        for segment in self.segments:
            if segment.kind == _LOAD and segment.is_writable and 0 <= offset - segment.offset < segment.room:
                return offset - segment.offset + segment.address
        return None

    @cached_property
    def build_id(self) -> str:
        """The id that the linker gave the file, in hexadecimal; empty where it gave none."""
        for segment in self.segments:
            if segment.kind != _NOTES_SEGMENT or segment.size > _MAX_NOTES:
                continue
            for name, kind, content in _notes(self._whole(segment.offset, segment.size)):
                if (name, kind) == (b"GNU\0", _BUILD_ID):
                    return content[:_MAX_BUILD_ID].hex()
        return ""

    @cached_property
    def functions(self) -> tuple[SymbolTable, ...]:
        """Its functions: those of the full table of symbols, and of the one for the dynamic linker."""
        return self._symbols(_FUNCTIONS, whole_reach=_WHOLE_REACH, exported_reach=_EXPORTED_REACH)

    @cached_property
    def variables(self) -> tuple[SymbolTable, ...]:
        """Its variables, likewise."""
        return self._symbols(_VARIABLES, whole_reach=0, exported_reach=0)

    def _symbols(self, kinds: tuple[int, ...], *, whole_reach: int, exported_reach: int) -> tuple[SymbolTable, ...]:
        wanted = sorted((each for each in self.sections if each.kind in (_SYMTAB, _DYNSYM)), key=lambda each: each.kind)
        return tuple(
            SymbolTable(
                self._whole(table.offset, table.size),
                self._names(self.sections[table.link]),
                kinds=kinds,
                reach=whole_reach if table.kind == _SYMTAB else exported_reach,
            )
            for table in wanted[:2]
            if table.size <= MAX_SYMBOL_BYTES and table.link < len(self.sections)
        )

    def _names(self, section: Section) -> Read:
        end = section.offset + section.size
        return lambda place, size: self._read(section.offset + place, min(size, max(end - section.offset - place, 0)))

    def _whole(self, place: int, size: int) -> bytes:
        data = self._read(place, size) if size else b""
        return data if len(data) == size else b""


def _notes(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    place = 0
    while place + _NOTE.size <= len(data):
        name_size, size, kind = _NOTE.unpack_from(data, place)
        name_at = place + _NOTE.size
        content_at = name_at + (name_size + 3 & ~3)
        yield data[name_at : name_at + name_size], kind, data[content_at : content_at + size]
        place = content_at + (size + 3 & ~3)


class SymbolTable:
    """The symbols of some kinds in one table, ordered by address. Only what is looked for is read of their names.

    One without a size reaches to the next one, but no further than `reach`.
    """

    def __init__(self, data: bytes, names: Read, *, kinds: tuple[int, ...], reach: int) -> None:
        words = array("Q")
        words.frombytes(data[: len(data) // _SYMBOL_BYTES * _SYMBOL_BYTES])
        # A symbol is name (32 bits), kind and binding (8), visibility (8), section (16); address; size.
        heads, addresses, sizes = words[0::3], words[1::3], words[2::3]
        del words
        order = [at for at, head in enumerate(heads) if head >> 32 & 15 in kinds and head >> 48]
        order.sort(key=addresses.__getitem__)
        self._addresses = array("Q", map(addresses.__getitem__, order))
        self._sizes = array("Q", map(sizes.__getitem__, order))
        self._heads = array("Q", map(heads.__getitem__, order))
        self._names = names
        self._reach = reach

    def __len__(self) -> int:
        return len(self._addresses)

    def find(self, address: int) -> Symbol | None:
        """What an address lies in."""
        last = bisect_right(self._addresses, address) - 1
        if last < 0:
            return None
        start = self._addresses[last]
        first = last
        # Several names for one place; a hostile table must not make this long.
        while first > 0 and last - first < 16 and self._addresses[first - 1] == start:
            first -= 1
        fitting = [at for at in range(first, last + 1) if address < start + (self._sizes[at] or self._reach)]
        names = [name for name in map(self._name, fitting) if name]
        if not names:
            return None
        return Symbol(name=min(names, key=_plainness), address=start)

    def _name(self, at: int) -> str:
        text = self._names(self._heads[at] & 0xFFFF_FFFF, MAX_NAME)
        return text.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def _plainness(name: str) -> tuple[int, int, str]:
    """Of several names for one function the one that people know: without underscores in front, and short."""
    return len(name) - len(name.lstrip("_")), len(name), name
