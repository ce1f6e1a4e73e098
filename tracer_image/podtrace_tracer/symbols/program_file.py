"""What a program's file tells of the places in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, NamedTuple

from podtrace_tracer.symbols.demangle import demangled
from podtrace_tracer.symbols.elf import Elf, ElfError, Function, SymbolTable

MAX_TEXT: Final = 400
"""Symbols and sources are cut at so many characters."""


class Place(NamedTuple):
    """A place in a file: its address as the file counts, the function around it, FILE:LINE; empty where not known."""

    address: int
    symbol: str
    source: str


class ProgramFile:
    """An open file of a program or library. Raises ElfError."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._elf = Elf(self._read)
        self.build_id = self._elf.build_id

    def _read(self, place: int, size: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, place)
        except (OSError, OverflowError, ValueError, MemoryError):
            return b""

    def place(self, offset: int) -> Place:
        """What stands at an offset in the file."""
        address = self._elf.address_of(offset)
        if address is None:
            return Place(offset, "", "")
        function = _find(self._elf.symbols, address)
        return Place(address, shortened(demangled(function.name)) if function else "", "")


def _find(tables: Iterable[SymbolTable], address: int) -> Function | None:
    return next((function for table in tables if (function := table.find(address))), None)


def shortened(text: str) -> str:
    """A text of bounded length, the cut marked."""
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


__all__ = ["ElfError", "Place", "ProgramFile", "shortened"]
