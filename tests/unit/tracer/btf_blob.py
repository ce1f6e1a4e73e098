"""Writes small BTF files, so that tests can say exactly which types a kernel has."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from podtrace_tracer.kernel.btf import Kind

POINTER_BITS = 64


@dataclass(kw_only=True)
class BtfBlob:
    """Types are numbered in the order in which they are added, from 1; each method returns the new type's id."""

    types: list[bytes] = field(default_factory=list)
    strings: dict[str, int] = field(default_factory=lambda: {"": 0})
    string_bytes: int = 1

    def integer(self, name: str, size: int, *, signed: bool = False, bits: int | None = None) -> int:
        encoding = (1 << 24 if signed else 0) | (size * 8 if bits is None else bits)
        return self._add(Kind.INT, name, size, [encoding])

    def pointer(self, target: int) -> int:
        return self._add(Kind.PTR, "", target)

    def array(self, element: int, count: int) -> int:
        return self._add(Kind.ARRAY, "", 0, [element, 0, count])

    def typedef(self, name: str, target: int) -> int:
        return self._add(Kind.TYPEDEF, name, target)

    def const(self, target: int) -> int:
        return self._add(Kind.CONST, "", target)

    def forward(self, name: str, *, union: bool = False) -> int:
        return self._add(Kind.FWD, name, 0, flag=union)

    def struct(self, name: str, size: int, members: Sequence[tuple[str, int, int]]) -> int:
        """Members are (name, type id, offset in bits)."""
        return self._add(Kind.STRUCT, name, size, [word for m in members for word in (self._s(m[0]), *m[1:])])

    def struct_with_bit_fields(self, name: str, size: int, members: Sequence[tuple[str, int, int, int]]) -> int:
        """Members are (name, type id, offset in bits, bits of a bit-field or 0)."""
        words = [word for m in members for word in (self._s(m[0]), m[1], m[3] << 24 | m[2])]
        return self._add(Kind.STRUCT, name, size, words, flag=True)

    def union(self, name: str, size: int, members: Sequence[tuple[str, int]]) -> int:
        return self._add(Kind.UNION, name, size, [word for m in members for word in (self._s(m[0]), m[1], 0)])

    def enum(self, name: str, values: Sequence[tuple[str, int]], *, signed: bool = False) -> int:
        words = [word for key, value in values for word in (self._s(key), value & 0xFFFFFFFF)]
        return self._add(Kind.ENUM, name, 4, words, flag=signed)

    def enum64(self, name: str, values: Sequence[tuple[str, int]], *, signed: bool = False) -> int:
        words = [word for key, value in values for word in (self._s(key), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF)]
        return self._add(Kind.ENUM64, name, 8, words, flag=signed)

    def tracepoint(self, name: str, arguments: Sequence[int]) -> int:
        words = [word for argument in (self.pointer(0), *arguments) for word in (0, argument)]
        prototype = self._add(Kind.FUNC_PROTO, "", 0, words)
        return self.typedef(f"btf_trace_{name}", self.pointer(prototype))

    def function(self, name: str, arguments: Sequence[int]) -> int:
        prototype = self._add(Kind.FUNC_PROTO, "", 0, [word for argument in arguments for word in (0, argument)])
        return self._add(Kind.FUNC, name, prototype)

    def raw(self, kind: int) -> int:
        """Add a record of any kind without anything behind it, even one that does not exist."""
        self.types.append(struct.pack("=III", 0, kind << 24, 0))
        return len(self.types)

    def to_bytes(self) -> bytes:
        types = b"".join(self.types)
        strings = b"".join(text.encode() + b"\0" for text in self.strings)
        header = struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
        return header + types + strings

    def _s(self, text: str) -> int:
        if text not in self.strings:
            self.strings[text] = self.string_bytes
            self.string_bytes += len(text.encode()) + 1
        return self.strings[text]

    def _add(self, kind: Kind, name: str, size_or_type: int, words: Sequence[int] = (), *, flag: bool = False) -> int:
        items = len(words) // {Kind.STRUCT: 3, Kind.UNION: 3, Kind.ENUM64: 3, Kind.ENUM: 2, Kind.FUNC_PROTO: 2}.get(
            kind, len(words) + 1
        )
        info = kind << 24 | items | (1 << 31 if flag else 0)
        self.types.append(struct.pack(f"={3 + len(words)}I", self._s(name), info, size_or_type, *words))
        return len(self.types)


def small_kernel() -> BtfBlob:
    """A kernel with every construct that the reader has to cope with.

    ``task`` at its offsets: 0 ``pid``, 8 ``files`` (a pointer), 16 ``comm[16]``, 32 an anonymous union of ``sum`` and a
    struct (``low``, ``high``), 40 ``live`` (a typedef of an untagged struct), 44 the bits ``dumpable`` (3) and
    ``exiting`` (1), 48 ``where`` (a ``struct place`` by value), 60 an odd 4 bytes ``odd`` that ends at 65.
    """
    blob = BtfBlob()
    int32 = blob.integer("int", 4, signed=True)
    u32 = blob.integer("unsigned int", 4)
    u64 = blob.integer("long unsigned int", 8)
    char = blob.integer("char", 1, signed=True)
    files = blob.pointer(blob.forward("files"))
    halves = blob.struct("", 8, [("low", u32, 0), ("high", u32, 32)])
    either = blob.union("", 8, [("sum", u64), ("", halves)])
    atomic = blob.typedef("counter_t", blob.struct("", 4, [("counter", int32, 0)]))
    place = blob.struct("place", 12, [("node", u32, 0), ("zone", blob.typedef("zone_t", blob.const(u32)), 64)])
    task = blob.struct_with_bit_fields(
        "task",
        68,
        [
            ("pid", int32, 0, 0),
            ("files", files, 64, 0),
            ("comm", blob.array(char, 16), 128, 0),
            ("", either, 256, 0),
            ("live", atomic, 320, 0),
            ("dumpable", u32, 352, 3),
            ("exiting", u32, 355, 1),
            ("where", place, 384, 0),
            ("odd", u32, 488, 0),
        ],
    )
    blob.enum("kind", [("FIRST", 0), ("SECOND", 7), ("HIGHEST", 0xFFFFFFFF)])
    blob.enum("error", [("NONE", 0), ("WORST", -4095)], signed=True)
    blob.enum64("mask", [("WIDE", 1 << 40)])
    blob.enum64("depth", [("DEEP", -(1 << 40))], signed=True)
    blob.tracepoint("task_done", [blob.pointer(blob.const(task)), blob.typedef("bool", u32), blob.pointer(files)])
    return blob
