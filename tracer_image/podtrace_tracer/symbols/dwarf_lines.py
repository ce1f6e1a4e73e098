"""Lines of the source by address, from the line tables that a compiler left (DWARF 2 to 5)."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from podtrace_tracer.symbols.dwarf_data import Data, DwarfError
from podtrace_tracer.symbols.dwarf_units import tables_of
from podtrace_tracer.symbols.elf import Elf

MAX_SECTION_BYTES: Final = 64 * 1024 * 1024
MAX_PROGRAM_BYTES: Final = 3 * 1024 * 1024
"""So much of the programs is run for one question: a second or two."""
_MAX_FILES: Final = 20_000
_PATH, _DIRECTORY = 1, 2  # DW_LNCT_
_ENDS, _SETS_ADDRESS = 1, 2  # DW_LNE_


@dataclass(kw_only=True)
class _Header:
    version: int
    quantum: int
    base: int
    range: int
    opcode_base: int
    lengths: tuple[int, ...]
    directories: list[str] = field(default_factory=list)
    files: list[tuple[str, int]] = field(default_factory=list)

    def name(self, number: int) -> str:
        """A file by its number, with its directory where that is not the compiler's own."""
        place = number if self.version >= 5 else number - 1
        if not 0 <= place < len(self.files):
            return ""
        name, directory = self.files[place]
        at = directory if self.version >= 5 else directory - 1
        if name.startswith("/") or not 0 <= at < len(self.directories) or (at == 0 and self.version >= 5):
            return name
        return f"{self.directories[at]}/{name}"


def lines(elf: Elf, addresses: Iterable[int]) -> dict[int, str]:
    """FILE:LINE of each address that the tables know."""
    section = elf.section(".debug_line")
    wanted = sorted(set(addresses))
    if section is None or not wanted:
        return {}
    content = elf.content(section, MAX_SECTION_BYTES)
    strings = {name: _strings(elf, name) for name in (".debug_line_str", ".debug_str")}
    found: dict[int, str] = {}
    room = MAX_PROGRAM_BYTES
    for start in _units(elf, content, wanted):
        try:
            room -= _run_unit(Data(content, start), strings, wanted, found)
        except (DwarfError, struct.error, IndexError):
            continue
        if room < 0 or len(found) == len(wanted):
            break
    return found


def _strings(elf: Elf, name: str) -> bytes:
    section = elf.section(name)
    return elf.content(section, MAX_SECTION_BYTES) if section else b""


def _units(elf: Elf, content: bytes, wanted: list[int]) -> Iterator[int]:
    """Where the tables of the units begin; where the file says which unit holds which addresses, of those only."""
    known = tables_of(elf, wanted)
    if known:
        yield from known
        return
    place = 0
    while place + 4 < len(content):
        data = Data(content, place)
        try:
            size, _ = data.length()
        except (DwarfError, struct.error):
            return
        yield place
        place = data.place + size


def _run_unit(data: Data, strings: dict[str, bytes], wanted: list[int], found: dict[int, str]) -> int:
    """Looks the addresses up in the table of one unit; returns how many bytes that was."""
    size, is_long = data.length()
    end = min(data.place + size, len(data.content))
    header, start = _header(data, strings, is_long=is_long)
    data.place = start
    for first, last, file, line in _Program(data, header).rows(end):
        # Rows are many, and next to none of them holds any of the addresses.
        for address in wanted[bisect_left(wanted, first) : bisect_left(wanted, last)]:
            if address not in found and line:
                found[address] = f"{header.name(file)}:{line}"
    return max(end - start, 0)


def _header(data: Data, strings: dict[str, bytes], *, is_long: bool) -> tuple[_Header, int]:
    version = data.number(2)
    if not 2 <= version <= 5:
        raise DwarfError("an unknown version")
    if version >= 5:
        data.place += 2  # sizes of addresses and segments
    length = data.number(8 if is_long else 4)
    start = data.place + length
    quantum = data.number(1)
    if version >= 4:
        data.place += 1  # operations in an instruction
    data.place += 1  # whether rows begin as statements
    base, line_range, opcode_base = data.signed(1), data.number(1), data.number(1)
    if not line_range or not opcode_base:
        raise DwarfError("broken numbers")
    lengths = tuple(data.number(1) for _ in range(opcode_base - 1))
    header = _Header(
        version=version, quantum=quantum, base=base, range=line_range, opcode_base=opcode_base, lengths=lengths
    )
    if version >= 5:
        header.directories = [path for path, _ in _entries(data, strings, is_long=is_long)]
        header.files = _entries(data, strings, is_long=is_long)
        return header, start
    while text := data.text():
        header.directories.append(text)
    while (text := data.text()) and len(header.files) < _MAX_FILES:
        header.files.append((text, data.unsigned()))
        data.unsigned()
        data.unsigned()
    return header, start


def _entries(data: Data, strings: dict[str, bytes], *, is_long: bool) -> list[tuple[str, int]]:
    """Paths with the numbers of their directories, in the form of version 5 that describes itself."""
    kinds = [(data.unsigned(), data.unsigned()) for _ in range(data.number(1))]
    found = []
    for _ in range(min(data.unsigned(), _MAX_FILES)):
        path, directory = "", 0
        for kind, form in kinds:
            value = data.form(form, strings, is_long=is_long)
            if kind == _PATH and isinstance(value, str):
                path = value
            elif kind == _DIRECTORY and isinstance(value, int):
                directory = value
        found.append((path, directory))
    return found


class _Program:
    """A line program: its registers, and what each code does to them."""

    def __init__(self, data: Data, header: _Header) -> None:
        self._data, self._header = data, header
        self._reset()
        self._codes: dict[int, Callable[[], None]] = {
            2: self._advance,
            3: self._move_line,
            4: self._set_file,
            8: self._advance_by_constant,
            9: self._advance_fixed,
        }

    def rows(self, end: int) -> Iterator[tuple[int, int, int, int]]:
        """First address, the one behind the last, file, line."""
        before: tuple[int, int, int] | None = None
        while self._data.place < end:
            is_row = self._step()
            if (is_row or self._ends) and before is not None and before[0] < self._address:
                yield before[0], self._address, before[1], before[2]
            if self._ends:
                self._reset()
                before = None
            elif is_row:
                before = (self._address, self._file, self._line)

    def _reset(self) -> None:
        self._address, self._file, self._line, self._ends = 0, 1, 1, False

    def _step(self) -> bool:
        """Does what the next code says; is it a row?"""
        code, header = self._data.number(1), self._header
        if code >= header.opcode_base:
            code -= header.opcode_base
            self._address += code // header.range * header.quantum
            self._line += header.base + code % header.range
            return True
        if code == 0:
            self._extended()
        elif code in self._codes:
            self._codes[code]()
        elif code != 1:
            for _ in range(header.lengths[code - 1]):
                self._data.unsigned()
        return code == 1

    def _extended(self) -> None:
        size = self._data.unsigned()
        behind = self._data.place + size
        kind = self._data.number(1) if size else 0
        if kind == _ENDS:
            self._ends = True
        elif kind == _SETS_ADDRESS:
            self._address = self._data.number(min(size - 1, 8))
        self._data.place = behind

    def _advance(self) -> None:
        self._address += self._data.unsigned() * self._header.quantum

    def _move_line(self) -> None:
        self._line += self._data.signed_leb()

    def _set_file(self) -> None:
        self._file = self._data.unsigned()

    def _advance_by_constant(self) -> None:
        self._address += (255 - self._header.opcode_base) // self._header.range * self._header.quantum

    def _advance_fixed(self) -> None:
        self._address += self._data.number(2)
