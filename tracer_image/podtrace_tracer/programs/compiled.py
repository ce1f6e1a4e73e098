"""What the compiler leaves: programs and maps, of no process in particular, so that they can be kept.

In the code, the places that differ from one trace to the next are still open: maps stand there by their number in the
list, constants of the trace and kernel functions by placeholders.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from podtrace_tracer.kernel.bpf_syscall import PERCPU_KINDS


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A C struct of the programs, read as its fields (nested structs as bytes).

    `size` is in bytes; `members` are name, offset in bytes, and kind in the letters of `struct`.
    """

    size: int
    members: tuple[tuple[str, int, str], ...]

    @cached_property
    def _struct(self) -> struct.Struct:
        parts, end = ["="], 0
        for _, offset, kind in self.members:
            parts.append(f"{offset - end}x{kind}")
            end = offset + struct.calcsize(kind)
        return struct.Struct("".join(parts))

    @cached_property
    def _places(self) -> dict[str, slice]:
        return {name: slice(offset, offset + struct.calcsize(kind)) for name, offset, kind in self.members}

    def fields(self, data: bytes) -> dict[str, Any]:
        """The fields by name; byte arrays as bytes."""
        return dict(zip(self._places, self._struct.unpack_from(data), strict=True))

    def unsigned(self, name: str, data: bytes) -> int:
        """One field that is an unsigned number, at a fraction of the price of all fields."""
        return int.from_bytes(data[self._places[name]], "little")


@dataclass(frozen=True, kw_only=True)
class Map:
    """A map to be made. `kind` and `flags` are the kernel's numbers."""

    name: str
    kind: int
    flags: int
    entries: int
    key_bytes: int
    value_bytes: int
    key: Layout
    value: Layout

    @property
    def is_per_cpu(self) -> bool:
        """Has each key a value for each CPU?"""
        return self.kind in PERCPU_KINDS

    @property
    def value_step(self) -> int:
        """From one CPU's value to the next one's."""
        return (self.value_bytes + 7) & ~7 if self.is_per_cpu else self.value_bytes


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """All programs of a trace by name, their maps, and the bcc that it was made with."""

    bcc_version: str
    programs: Mapping[str, bytes]
    maps: tuple[Map, ...]

    def to_json(self) -> bytes:
        """As text that `from_json` reads."""
        programs = {name: b64encode(code).decode() for name, code in self.programs.items()}
        maps = [asdict(each) for each in self.maps]
        return json.dumps({"bcc_version": self.bcc_version, "programs": programs, "maps": maps}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Compiled:
        """Raises ValueError, KeyError or TypeError for a text that is none of ours."""
        body = json.loads(text)
        return cls(
            bcc_version=body["bcc_version"],
            programs={name: b64decode(code, validate=True) for name, code in body["programs"].items()},
            maps=tuple(
                Map(**{**each, "key": _layout(each["key"]), "value": _layout(each["value"])}) for each in body["maps"]
            ),
        )


def _layout(body: Mapping[str, Any]) -> Layout:
    return Layout(size=body["size"], members=tuple((name, offset, kind) for name, offset, kind in body["members"]))
