"""Reading the numbers and texts that DWARF sections are made of, with every length doubted."""

from __future__ import annotations

from typing import Final

MAX_TEXT: Final = 1024
_LONG: Final = 0xFFFFFFFF
# The forms of values (DW_FORM_), by how long they are.
_FIXED: Final = {
    0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16, 0x0C: 1, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x20: 8, 0x01: 8,
    0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4, 0x19: 0, 0x21: 0,
}  # fmt: skip
_TEXT: Final = 0x08
_TEXTS_ELSEWHERE: Final = {0x1F: ".debug_line_str", 0x0E: ".debug_str"}
_BLOCKS: Final = {0x0A: 1, 0x03: 2, 0x04: 4, 0x09: 0, 0x18: 0}
_LEB: Final = frozenset({0x0D, 0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23})
_OFFSETS: Final = frozenset({0x17, 0x10, 0x1D, 0x1C})


class DwarfError(ValueError):
    """What is there cannot be read."""


class Data:
    """A section's content, and a place in it that moves on with reading."""

    def __init__(self, content: bytes, place: int) -> None:
        self.content = content
        self.place = place

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self._take(size), "little")

    def signed(self, size: int) -> int:
        """A signed number of so many bytes."""
        return int.from_bytes(self._take(size), "little", signed=True)

    def length(self) -> tuple[int, bool]:
        """The length of a unit, and whether it is of the long form."""
        size = self.number(4)
        return (self.number(8), True) if size == _LONG else (size, False)

    def unsigned(self) -> int:
        """An unsigned LEB128 number."""
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 63:
                return value & 0xFFFF_FFFF_FFFF_FFFF

    def signed_leb(self) -> int:
        """A signed LEB128 number."""
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 63:
                return value - (1 << shift) if byte & 0x40 else value

    def text(self) -> str:
        """A text up to its zero byte."""
        end = self.content.find(b"\0", self.place)
        if end < 0:
            raise DwarfError("a text without an end")
        found = self.content[self.place : min(end, self.place + MAX_TEXT)]
        self.place = end + 1
        return found.decode("utf-8", "backslashreplace")

    def form(self, form: int, strings: dict[str, bytes], *, is_long: bool) -> int | str:
        """The value of a form: a number, a text, or 0 for what is passed over."""
        offset = 8 if is_long else 4
        if form == _TEXT:
            return self.text()
        if form in _TEXTS_ELSEWHERE:
            return _text_at(strings[_TEXTS_ELSEWHERE[form]], self.number(offset))
        if form in _BLOCKS:
            self._take(self.number(_BLOCKS[form]) if _BLOCKS[form] else self.unsigned())
            return 0
        if form in _LEB:
            return self.unsigned()
        size = offset if form in _OFFSETS else _FIXED.get(form)
        if size is None:
            raise DwarfError("an unknown form")
        return self.number(size)

    def _take(self, size: int) -> bytes:
        found = self.content[self.place : self.place + size]
        if len(found) < size:
            raise DwarfError("it ends too early")
        self.place += size
        return found


def _text_at(content: bytes, place: int) -> str:
    end = content.find(b"\0", place)
    return content[place : min(end, place + MAX_TEXT)].decode("utf-8", "backslashreplace") if end >= 0 else ""
