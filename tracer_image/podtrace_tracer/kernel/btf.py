"""Reading the kernel's own type information (BTF) with the standard library alone.

BTF is what the kernel publishes in ``/sys/kernel/btf/vmlinux``: the layout of its structs, the values of its enums and,
as typedefs called ``btf_trace_NAME``, the arguments of its tracepoints. The format is described in the kernel's
documentation, ``Documentation/bpf/btf.rst``.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, Self

_MAGIC = 0xEB9F
_HEADER = struct.Struct("=HBBIIIII")
_POINTER_BYTES = 8
# The deepest nesting in a real kernel is below ten; the limit only ends the loops of corrupt data.
_MAX_DEPTH = 24


class BtfError(Exception):
    """The type information cannot be read: absent, truncated, corrupt, or of a kind that this reader does not know."""


class Kind(IntEnum):
    """The kinds of BTF types, numbered as in the format; ``VOID`` is type id 0, which has no record."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


AGGREGATES = frozenset({Kind.STRUCT, Kind.UNION})
_ENUMS = frozenset({Kind.ENUM, Kind.ENUM64})
_QUALIFIERS = frozenset({Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG})
_ALIASES = _QUALIFIERS | {Kind.TYPEDEF}
_SIZED = frozenset({Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT, Kind.DATASEC})
_C_KEYWORD = {Kind.STRUCT: "struct ", Kind.UNION: "union ", Kind.ENUM: "enum ", Kind.ENUM64: "enum "}

_RECORD_WORDS = 3
# Words of a record beside those of its variable part. A kind which is not listed has no known length, so that the
# types after it cannot be found: the step leads far out of the data and ends the scan.
_UNKNOWN = 1 << 40
_FIXED_WORDS = [_UNKNOWN] * 32
for _kind in Kind:
    _FIXED_WORDS[_kind] = _RECORD_WORDS + {Kind.INT: 1, Kind.ARRAY: 3, Kind.VAR: 1, Kind.DECL_TAG: 1}.get(_kind, 0)
_FIXED_WORDS[Kind.VOID] = _UNKNOWN
_WORDS_PER_ITEM = [0] * 32
for _kind in (Kind.STRUCT, Kind.UNION, Kind.DATASEC, Kind.ENUM64):
    _WORDS_PER_ITEM[_kind] = 3
for _kind in (Kind.ENUM, Kind.FUNC_PROTO):
    _WORDS_PER_ITEM[_kind] = 2


class BtfType(NamedTuple):
    """One type record: ``size_or_type`` is bytes or a type id, after the kind; ``at`` is its place, in words."""

    kind: Kind
    name: str
    items: int
    flag: bool
    size_or_type: int
    at: int


class Member(NamedTuple):
    """One member of a struct or union; an anonymous one has an empty name, and only a bit-field has bits."""

    name: str
    type_id: int
    offset_bits: int
    bit_field_bits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """Where a field lies, counted from the start of the outermost struct."""

    type_id: int
    offset_bits: int
    size_bits: int
    is_bit_field: bool

    @property
    def offset_bytes(self) -> int:
        """The offset of a field that is no bit-field."""
        return self.offset_bits // 8


class Btf:
    """The types of one kernel, looked up by name.

    ``wanted`` names (of structs, unions, enums, typedefs) and all tracepoints are indexed in the one pass over the
    data; any other name can be asked for too, and costs another pass.
    """

    def __init__(self, data: bytes, wanted: Collection[str] = ()) -> None:
        type_start, type_end, self._strings_start, self._strings_end = _sections(data)
        self._data = data
        self._words = memoryview(data)[type_start:type_end].cast("I")
        offsets = {offset for name in wanted if (offset := self._string_offset(name)) is not None}
        tracepoints = re.compile(rb"(?<=\0)btf_trace_").finditer(data, self._strings_start, self._strings_end)
        offsets.update(match.start() - self._strings_start for match in tracepoints)
        offsets.discard(0)
        self._positions, self._index = _scan(self._words, offsets)

    @classmethod
    def parse(cls, data: bytes, wanted: Collection[str] | None = None) -> Self:
        """Read the bytes of a BTF file; raises ``BtfError`` when they are not a whole one."""
        return cls(data, wanted or ())

    @classmethod
    def load(cls, path: Path | str = "/sys/kernel/btf/vmlinux", wanted: Collection[str] | None = None) -> Self:
        """Read a BTF file; raises ``BtfError`` when it cannot be read or is not a whole one."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise BtfError(f"cannot read the kernel's type information {path}: {error.strerror}") from error
        return cls.parse(data, wanted)

    def __len__(self) -> int:
        return len(self._positions) - 1

    # What is asked by name ------------------------------------------------------------------------------------------

    def struct(self, name: str) -> int | None:
        """Return the type id of a struct or union, by its tag or by the typedef of an untagged one."""
        return next(self._named(name, AGGREGATES), None)

    def field(self, struct_name: str, path: str) -> Field | None:
        """Find a field by its dotted path; anonymous members are looked into and need no mention in the path."""
        struct_id = self.struct(struct_name)
        names = path.split(".")
        # An empty name would match anonymous members.
        return None if struct_id is None or "" in names else self._field(struct_id, names, 0, _MAX_DEPTH)

    def enum_value(self, enum_name: str, value_name: str) -> int | None:
        """Return the number behind a name of an enum; negative only if the kernel marked the enum as signed."""
        for type_id in self._named(enum_name, _ENUMS):
            for name, value in self._enumerators(self.type(type_id)):
                if name == value_name:
                    return value
        return None

    def function(self, name: str) -> int | None:
        """Return the type id of a kernel function, by which programs call it."""
        return next(self._named(name, {Kind.FUNC}), None)

    def raw_tracepoint(self, name: str) -> tuple[str, ...] | None:
        """Return the C types of a raw tracepoint's arguments, or None if the kernel has no such tracepoint.

        Qualifiers are left out: they differ between kernels and do not change how an argument is read.
        """
        for type_id in self._ids("btf_trace_" + name):
            typedef = self.type(type_id)
            if typedef.kind is Kind.TYPEDEF:
                return tuple(self._c_type(argument, _MAX_DEPTH) for argument in self._arguments(typedef))
        return None

    # What is asked by type id ---------------------------------------------------------------------------------------

    def type(self, type_id: int) -> BtfType:
        """Return the record of a type."""
        if type_id == 0:
            return BtfType(Kind.VOID, "", 0, False, 0, 0)
        if not 0 < type_id < len(self._positions):
            raise BtfError(f"type {type_id} is named but there are {len(self)} types")
        at = self._positions[type_id]
        name, info, size_or_type = self._words[at : at + _RECORD_WORDS]
        return BtfType(Kind(info >> 24 & 31), self._string(name), info & 0xFFFF, bool(info >> 31), size_or_type, at)

    def resolve(self, type_id: int) -> int:
        """Follow typedefs and qualifiers to the type behind them."""
        for _ in range(_MAX_DEPTH):
            record = self.type(type_id)
            if record.kind not in _ALIASES:
                return type_id
            type_id = record.size_or_type
        raise BtfError(f"type {type_id} refers to itself")

    def size(self, type_id: int) -> int:
        """Return the size of a type in bytes; 0 for what has none, such as functions and incomplete structs."""
        count = 1
        for _ in range(_MAX_DEPTH):
            record = self.type(self.resolve(type_id))
            if record.kind is not Kind.ARRAY:
                break
            type_id, length = self.element(record)
            count *= length
        else:
            raise BtfError(f"type {type_id} is an array nested too deeply")
        if record.kind is Kind.PTR:
            return count * _POINTER_BYTES
        return count * record.size_or_type if record.kind in _SIZED else 0

    def element(self, array_type: BtfType) -> tuple[int, int]:
        """Return the type id of an array's elements and how many there are."""
        element, _index, count = self._words[array_type.at + 3 : array_type.at + 6]
        return element, count

    def is_signed(self, record: BtfType) -> bool:
        """Tell whether an integer or enum is signed."""
        return bool(self._words[record.at + 3] >> 24 & 1) if record.kind is Kind.INT else record.flag

    def members(self, type_id: int) -> Iterator[Member]:
        """Give the members of a struct or union in order."""
        record = self.type(type_id)
        for name, member_type, offset in self._items(record, 3):
            if record.flag:
                yield Member(self._string(name), member_type, offset & 0xFFFFFF, offset >> 24)
            else:
                yield self._plain_member(self._string(name), member_type, offset)

    # Inside ---------------------------------------------------------------------------------------------------------

    def _plain_member(self, name: str, type_id: int, offset_bits: int) -> Member:
        """Without the struct's flag, a bit-field is a member whose integer type has fewer bits than its bytes hold."""
        integer = self.type(self.resolve(type_id))
        if integer.kind is Kind.INT:
            encoding = self._words[integer.at + 3]
            if encoding & 0xFF != integer.size_or_type * 8:
                return Member(name, type_id, offset_bits + (encoding >> 16 & 0xFF), encoding & 0xFF)
        return Member(name, type_id, offset_bits, 0)

    def _field(self, struct_id: int, path: list[str], base_bits: int, depth: int) -> Field | None:
        if not depth:
            raise BtfError(f"type {struct_id} is nested too deeply")
        for member in self.members(struct_id):
            offset_bits = base_bits + member.offset_bits
            if member.name == path[0] and len(path) == 1:
                return Field(
                    type_id=member.type_id,
                    offset_bits=offset_bits,
                    size_bits=member.bit_field_bits or self.size(member.type_id) * 8,
                    is_bit_field=bool(member.bit_field_bits),
                )
            rest = path[1:] if member.name == path[0] else path
            inner = self.resolve(member.type_id) if member.name in ("", path[0]) else 0
            if self.type(inner).kind in AGGREGATES:
                found = self._field(inner, rest, offset_bits, depth - 1)
                if found is not None:
                    return found
        return None

    def _enumerators(self, enum: BtfType) -> Iterator[tuple[str, int]]:
        if enum.kind is Kind.ENUM:
            bits, values = 32, ((name, value) for name, value in self._items(enum, 2))
        else:
            bits, values = 64, ((name, high << 32 | low) for name, low, high in self._items(enum, 3))
        for name, value in values:
            yield self._string(name), value - (1 << bits) if enum.flag and value >> (bits - 1) else value

    def _arguments(self, typedef: BtfType) -> list[int]:
        """Give the types of a tracepoint's arguments: those of its callback behind the leading ``void *__data``."""
        pointer = self.type(self.resolve(typedef.size_or_type))
        prototype = self.type(self.resolve(pointer.size_or_type) if pointer.kind is Kind.PTR else 0)
        if prototype.kind is not Kind.FUNC_PROTO:
            raise BtfError(f"{typedef.name} is not the type of a tracepoint's callback")
        return [type_id for _name, type_id in self._items(prototype, 2)][1:]

    def _c_type(self, type_id: int, depth: int) -> str:
        record = self.type(type_id)
        if not depth:
            raise BtfError(f"type {type_id} is nested too deeply")
        if record.kind in _QUALIFIERS:
            return self._c_type(record.size_or_type, depth - 1)
        if record.kind is Kind.PTR:
            target = self._c_type(record.size_or_type, depth - 1)
            return target + ("*" if target.endswith("*") else " *")
        if record.kind is Kind.FWD:
            return ("union " if record.flag else "struct ") + record.name
        return _C_KEYWORD.get(record.kind, "") + (record.name or "void")

    def _items(self, record: BtfType, words: int) -> Iterator[tuple[int, ...]]:
        start = record.at + _RECORD_WORDS
        for at in range(start, start + words * record.items, words):
            yield tuple(self._words[at : at + words])

    def _named(self, name: str, kinds: Collection[Kind]) -> Iterator[int]:
        """Give the ids of the types called ``name``: tagged ones first, then those that a typedef gives the name to."""
        ids = self._ids(name)
        yield from (type_id for type_id in ids if self.type(type_id).kind in kinds)
        for type_id in ids:
            if self.type(type_id).kind is Kind.TYPEDEF:
                target = self.resolve(type_id)
                if self.type(target).kind in kinds:
                    yield target

    def _ids(self, name: str) -> list[int]:
        offset = self._string_offset(name)
        if offset is None:
            return []
        if offset not in self._index:
            words, positions = self._words, self._positions
            self._index[offset] = [
                type_id for type_id in range(1, len(positions)) if words[positions[type_id]] == offset
            ]
        return self._index[offset]

    def _string_offset(self, name: str) -> int | None:
        """Find a name among the strings, each of which is held once."""
        if not name or "\0" in name:
            return None
        found = self._data.find(b"\0" + name.encode() + b"\0", self._strings_start, self._strings_end)
        return None if found < 0 else found + 1 - self._strings_start

    def _string(self, offset: int) -> str:
        start = self._strings_start + offset
        if start >= self._strings_end:
            raise BtfError(f"a name lies at {offset}, outside the strings")
        return self._data[start : self._data.index(b"\0", start)].decode("utf-8", "replace")


def _sections(data: bytes) -> tuple[int, int, int, int]:
    """Check the header; give where types start and end, and where strings start and end."""
    if len(data) < _HEADER.size:
        raise BtfError(f"truncated: {len(data)} bytes are no whole header")
    magic, version, _flags, header_bytes, *sections = _HEADER.unpack_from(data)
    type_offset, type_bytes, string_offset, string_bytes = sections
    if magic != _MAGIC:
        raise BtfError(f"this is no type information of this machine's byte order: it starts with {magic:#06x}")
    if version != 1:
        raise BtfError(f"format version {version} is not known")
    type_start, string_start = header_bytes + type_offset, header_bytes + string_offset
    type_end, string_end = type_start + type_bytes, string_start + string_bytes
    if header_bytes < _HEADER.size or max(type_end, string_end) > len(data):
        raise BtfError(f"truncated: {max(type_end, string_end)} bytes are announced, {len(data)} are there")
    if type_bytes % 4:
        raise BtfError(f"the types are {type_bytes} bytes long, which is no multiple of 4")
    if not string_bytes or data[string_start] or data[string_end - 1]:
        raise BtfError("the strings do not start and end with a zero byte")
    return type_start, type_end, string_start, string_end


def _scan(words: memoryview[int], wanted: Collection[int]) -> tuple[array[int], dict[int, list[int]]]:
    """Find where each type starts, and which ids have a wanted name (given as its offset among the strings)."""
    positions = array("I", [0])
    index: dict[int, list[int]] = {offset: [] for offset in wanted}
    append, fixed, per_item = positions.append, _FIXED_WORDS, _WORDS_PER_ITEM
    at, end, kind = 0, len(words), 0
    try:
        while at < end:
            append(at)
            if words[at] in index:
                index[words[at]].append(len(positions) - 1)
            info = words[at + 1]
            kind = info >> 24 & 31
            at += fixed[kind] + per_item[kind] * (info & 0xFFFF)
    except IndexError:
        at = end + 1
    if at >= _UNKNOWN:
        raise BtfError(f"type {len(positions) - 1} is of kind {kind}, which is not known")
    if at != end:
        raise BtfError(f"truncated: type {len(positions) - 1} is cut off")
    return positions, index
