"""Compiled programs in memory: their maps hold what a test puts there, laid out as the C texts say."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from kubectl_podtrace.wire.request import PodTarget, TraceRequest
from kubectl_podtrace.wire.topics import TOPICS
from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.kernel.ring import RingRecord
from podtrace_tracer.programs.bpf import Programs, RunTime
from podtrace_tracer.programs.compiled import Layout
from podtrace_tracer.programs.compiler import layout_of
from podtrace_tracer.programs.program import ScopeMatch, defines, source_text
from tests.unit.tracer.btf_blob import BtfBlob

CPUS = 2
_NUMBERS = {
    "u8": ctypes.c_ubyte, "u16": ctypes.c_ushort, "u32": ctypes.c_uint, "u64": ctypes.c_ulonglong,
    "s64": ctypes.c_longlong, "char": ctypes.c_char,
}  # fmt: skip
_STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(?:struct )?(\w+) (\w+)(?:\[([\w +]+)\])?;", re.MULTILINE)
_MAP = re.compile(r"^BPF_(\w+)\((\w+), ([^;]*)\);", re.MULTILINE)


@cache
def constants() -> Mapping[str, int]:
    """The constants of the C text, those that it defines itself too."""
    kernel = Btf.parse(BtfBlob().to_bytes())
    request = TraceRequest(target=PodTarget(uid="u"))
    own = re.findall(r"^#define (\w+) (\d+)$", source_text(TOPICS), re.MULTILINE)
    return defines(request, ScopeMatch(mode="walk"), kernel) | {name: int(number) for name, number in own}


@cache
def structs() -> Mapping[str, Any]:
    """The C structs as bcc describes them."""
    found: dict[str, Any] = {**_NUMBERS}
    for name, body in _STRUCT.findall(source_text(TOPICS)):
        fields = _FIELD.findall(body)
        if all(kind in found for kind, _, _ in fields) and len(fields) == body.count(";"):
            laid_out = [
                (field, found[kind] * _length(count) if count else found[kind]) for kind, field, count in fields
            ]
            found[name] = type(name, (ctypes.Structure,), {"_fields_": laid_out})
    return found


def _length(text: str) -> int:
    parts = [part.strip() for part in text.split("+")]
    return sum(int(part) if part.isdigit() else constants()[part] for part in parts)


class MemoryPrograms(Programs):
    """Programs without a kernel."""

    def __init__(self, topics: Sequence[str] = TOPICS) -> None:
        self.tables: dict[str, dict[bytes, list[bytes]]] = {}
        self.queues: dict[str, list[int]] = {}
        self.ring: list[RingRecord] = []
        self.misses: dict[str, int] = {}
        self.detached: list[str] = []
        self.times: dict[str, RunTime] = {}
        self._declared: dict[str, tuple[Any, Any, int]] = {}
        self._per_cpu: set[str] = set()
        known = structs()
        for kind, name, rest in _MAP.findall(source_text(tuple(topics))):
            types = [known.get(part.strip().removeprefix("struct ")) for part in rest.split(",")[:2]]
            if kind in {"HASH", "PERCPU_HASH"}:
                self._declared[name] = (types[0], types[1], constants()[rest.split(",")[2].strip()])
            elif kind in {"ARRAY", "PERCPU_ARRAY"}:
                self._declared[name] = (ctypes.c_uint, types[0], 0)
            if kind.startswith("PERCPU"):
                self._per_cpu.add(name)
            self.tables[name] = {}

    def key(self, table: str, **fields: Any) -> bytes:
        """A key of this map; fields that are not named are zero."""
        return bytes(self._declared[table][0](**fields))

    def value(self, table: str, **fields: Any) -> bytes:
        """A value of this map; fields that are not named are zero."""
        return bytes(self._declared[table][1](**fields))

    def put(self, table: str, key: bytes | int, *values: bytes | int) -> None:
        """Puts an entry into a map; one value, or one for each CPU."""
        leaf = ctypes.sizeof(self._declared[table][1])
        raw = [value.to_bytes(leaf, "little") if isinstance(value, int) else value for value in values]
        place = key.to_bytes(ctypes.sizeof(self._declared[table][0]), "little") if isinstance(key, int) else key
        self.tables[table][place] = raw

    def attach(self, tracepoint: str) -> None:
        raise AssertionError(f"{tracepoint} has no kernel to be attached to")

    def detach(self, names: Collection[str] | None = None) -> None:
        self.detached.extend(("all",) if names is None else names)
        if names is None:
            self.misses.clear()

    def close(self) -> None:
        self.tables.clear()

    def has(self, table: str) -> bool:
        return table in self.tables

    def value_layout(self, table: str) -> Layout:
        return layout_of(self._declared[table][1])

    def key_layout(self, table: str) -> Layout:
        return layout_of(self._declared[table][0])

    def set_number(self, table: str, key: int, value: int) -> None:
        self.put(table, key, value)

    def push(self, table: str, value: int) -> None:
        self.queues.setdefault(table, []).append(value)

    def delete(self, table: str, key: bytes) -> bool:
        return self.tables[table].pop(key, None) is not None

    def values(self, table: str, index: int) -> list[bytes] | None:
        size = ctypes.sizeof(self._declared[table][1])
        found = self.tables[table].get(index.to_bytes(4, "little"), [bytes(size)] * self._parts(table))
        assert [len(value) for value in found] == [size] * self._parts(table), f"{table} has other values"
        return found

    def value_at(self, table: str, key: bytes) -> bytes | None:
        found = self.tables[table].get(key)
        return found[0] if found else None

    def items(self, table: str) -> Iterator[tuple[bytes, list[bytes]]]:
        for key, values in list(self.tables[table].items()):
            assert len(values) == self._parts(table), f"{table} has other values"
            yield key, values

    def count(self, table: str) -> int:
        return sum(1 for _ in self.items(table))

    def _parts(self, table: str) -> int:
        return CPUS if table in self._per_cpu else 1

    def capacity(self, table: str) -> int:
        return self._declared[table][2]

    def ring_records(self, size: int) -> Iterator[RingRecord]:
        assert size == constants()["RING_PAGES"] * 4096
        while self.ring:
            yield self.ring.pop(0)

    def recursion_misses(self) -> dict[str, int]:
        return dict(self.misses)

    def run_times(self) -> dict[str, RunTime]:
        return dict(self.times)
