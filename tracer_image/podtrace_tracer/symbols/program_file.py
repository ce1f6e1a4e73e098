"""What a program's file tells of the places in it."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from podtrace_tracer.symbols import dwarf_lines
from podtrace_tracer.symbols.demangle import demangled
from podtrace_tracer.symbols.elf import Elf, ElfError, Symbol, SymbolTable, reader
from podtrace_tracer.symbols.go_table import MAX_BYTES as MAX_GO_BYTES
from podtrace_tracer.symbols.go_table import GoFunction, GoTable, GoTableError
from podtrace_tracer.symbols.perf_map import PerfMap
from podtrace_tracer.symbols.place import Place, Wanted, shortened

_MAX_SMALL_DEBUG: Final = 32 * 1024 * 1024
_GO_SECTIONS: Final = (".gopclntab", ".data.rel.ro.gopclntab")


class ProgramFile:
    """An open file of a program or library. Raises ElfError."""

    def __init__(self, descriptor: int) -> None:
        self._elf = Elf(reader(descriptor))
        self.build_id = self._elf.build_id

    def places(self, offsets: Sequence[int], *, wanted: Wanted = "line") -> list[Place]:
        """What stands at offsets in the file."""
        if wanted == "variable":
            return [self._variable(offset) for offset in offsets]
        addresses = [self._elf.address_of(offset) for offset in offsets]
        # Go's own table is at hand, and quicker.
        searched = () if self._go or wanted != "line" else (each for each in addresses if each is not None)
        known = dwarf_lines.lines(self._elf, searched)
        return [
            Place(offset, "", "") if address is None else self._place(address, known.get(address, ""))
            for offset, address in zip(offsets, addresses, strict=True)
        ]

    def _place(self, address: int, source: str) -> Place:
        in_go = self._go.find(address) if self._go else None
        if in_go is not None:
            return Place(address, shortened(in_go.name), shortened(source or _source(in_go)))
        function = _find(self._elf.functions, address) or _find(self._small_debug, address)
        return Place(address, shortened(demangled(function.name)) if function else "", shortened(source))

    def _variable(self, offset: int) -> Place:
        """The variable at an offset; of one that holds several things, with the distance from its beginning."""
        address = self._elf.variable_address_of(offset)
        variable = _find(self._elf.variables, address) if address is not None else None
        if address is None or variable is None:
            return Place(offset, "", "")
        inside = address - variable.address
        return Place(address, shortened(demangled(variable.name)) + (f"+{inside:#x}" if inside else ""), "")

    @cached_property
    def _go(self) -> GoTable | None:
        section = next(filter(None, (self._elf.section(name) for name in _GO_SECTIONS)), None)
        code = self._elf.section(".text")
        if section is None or code is None:
            return None
        try:
            return GoTable(self._elf.content(section, MAX_GO_BYTES), code.address)
        except GoTableError:
            return None

    @cached_property
    def _small_debug(self) -> tuple[SymbolTable, ...]:
        """The symbols that some distributions leave in stripped files, compressed."""
        section = self._elf.section(".gnu_debugdata")
        if section is None:
            return ()
        try:
            packed = self._elf.content(section, _MAX_SMALL_DEBUG)
            unpacker = lzma.LZMADecompressor(memlimit=_MAX_SMALL_DEBUG)
            data = unpacker.decompress(packed, _MAX_SMALL_DEBUG)
            return Elf(lambda place, size: data[place : place + size]).functions
        except (lzma.LZMAError, ElfError, EOFError):
            return ()


class CompiledCode:
    """The open file in which a process names what it compiled for itself."""

    def __init__(self, descriptor: int) -> None:
        self._map = PerfMap(reader(descriptor))
        self.build_id = ""

    def places(self, addresses: Sequence[int], *, wanted: Wanted = "function") -> list[Place]:  # noqa: ARG002  it has no more
        """What stands at addresses. They mean nothing in another process, so no place keeps its own."""
        return [Place(0, shortened(self._map.symbol(address)), "") for address in addresses]


def _source(function: GoFunction) -> str:
    return f"{function.file}:{function.line}" if function.file and function.line else ""


def _find(tables: Iterable[SymbolTable], address: int) -> Symbol | None:
    return next((function for table in tables if (function := table.find(address))), None)
