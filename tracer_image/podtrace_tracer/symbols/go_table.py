"""The table of functions and lines that every Go program carries, stripped or not (.gopclntab).

Its forms are those of Go 1.2, 1.16, 1.18 and 1.20 (debug/gosym in Go's library reads them, too).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

MAX_BYTES: Final = 128 * 1024 * 1024
_FORMS: Final = {0xFFFFFFFB: 12, 0xFFFFFFFA: 116, 0xFFFFFFF0: 118, 0xFFFFFFF1: 120}
_MAX_NAME: Final = 4096
_MAX_STEPS: Final = 20_000
_NO_FILE: Final = 0xFFFFFFFF


class GoFunction(NamedTuple):
    """A function's name, and the file and line at the address that was asked for."""

    name: str
    file: str
    line: int


class GoTableError(ValueError):
    """It is no such table, or a broken one."""


class GoTable:
    """The table in a section's content. `text` is the address of the program's code, which newer forms count from."""

    def __init__(self, data: bytes, text: int) -> None:
        if len(data) < 8:
            raise GoTableError("too short")
        magic, _, quantum, pointer = struct.unpack_from("<IHBB", data)
        if magic not in _FORMS or pointer != 8 or quantum not in (1, 2, 4):
            raise GoTableError("an unknown form")
        self._data, self._form, self._quantum = data, _FORMS[magic], quantum
        counts = [self._word(8 + 8 * at, 8) for at in range(8)]
        self._count, self._base = counts[0], 0
        if self._form >= 118:
            self._base = counts[2] or text
            self._names, self._units, self._files, self._programs, self._functions = counts[3:8]
        elif self._form == 116:
            self._names, self._units, self._files, self._programs, self._functions = counts[2:7]
        else:
            self._names = self._units = self._files = self._programs = 0
            self._functions = 16
        self._field = 4 if self._form >= 118 else 8
        if self._count > len(data) // (2 * self._field):
            raise GoTableError("more functions than bytes")

    def find(self, address: int) -> GoFunction | None:
        """The function that an address lies in."""
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle) <= address:
                low = middle + 1
            else:
                high = middle
        # Behind the last function stands where it ends.
        if not low or (low == self._count and address >= self._entry(self._count)):
            return None
        entry, place = self._entry(low - 1), self._word(self._functions + (2 * low - 1) * self._field, self._field)
        at = place + (self._functions if self._form >= 116 else 0)
        first = 4 if self._form >= 118 else 8
        name = self._text(self._names + self._word(at + first, 4))
        files, lines = self._word(at + first + 16, 4), self._word(at + first + 20, 4)
        line = self._value(lines, entry, address)
        file = self._file(self._value(files, entry, address), at + first + 28)
        return GoFunction(name, file, max(line, 0)) if name else None

    def _entry(self, number: int) -> int:
        return self._base + self._word(self._functions + 2 * number * self._field, self._field)

    def _file(self, number: int, unit_at: int) -> str:
        if number < 0:
            return ""
        if self._form == 12:
            # A table of places, whose own place stands behind the functions.
            table = self._word(self._functions + (2 * self._count + 1) * 8, 4)
            return self._text(self._word(table + 4 * number, 4))
        place = self._word(self._units + 4 * (self._word(unit_at, 4) + number), 4)
        return "" if place == _NO_FILE else self._text(self._files + place)

    def _value(self, program: int, address: int, wanted: int) -> int:
        """What a program of (value, length) steps says at an address; -1 where it says nothing."""
        if not program:
            return -1
        place, value = self._programs + program, -1
        for step in range(_MAX_STEPS):
            change, place = self._number(place)
            if not change and step:
                return -1
            value += -(change + 1 >> 1) if change & 1 else change >> 1
            length, place = self._number(place)
            address += length * self._quantum
            if wanted < address:
                return value
        return -1

    def _number(self, place: int) -> tuple[int, int]:
        """An unsigned LEB128 number, and where it ends."""
        value = shift = 0
        while shift < 64:
            byte = self._word(place, 1)
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        return value & 0xFFFFFFFF, place

    def _word(self, place: int, size: int) -> int:
        return int.from_bytes(self._data[place : place + size], "little") if place >= 0 else 0

    def _text(self, place: int) -> str:
        text = self._data[place : place + _MAX_NAME].split(b"\0", 1)[0]
        return text.decode("utf-8", "backslashreplace")
