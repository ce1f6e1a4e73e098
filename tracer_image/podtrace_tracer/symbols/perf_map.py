"""Names of functions that a process compiled for itself, from the file that it leaves for profilers (perf-PID.map)."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from podtrace_tracer.symbols.elf import Read

MAX_BYTES: Final = 32 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
_MAX_ENTRIES: Final = 500_000
_TIER: Final = re.compile(r"^(JS:|LazyCompile:|Function:|Script:)[~^*+]")
"""V8 says how far it has compiled a function: the same one has several names otherwise."""


class PerfMap:
    """Functions by address. Of entries for the same memory the last one holds: compilers use it again."""

    def __init__(self, read: Read) -> None:
        self._functions = _parse(_content(read))
        self._starts = sorted(self._functions)

    def symbol(self, address: int) -> str:
        """The function at an address; empty where none is known."""
        place = bisect_right(self._starts, address) - 1
        if place < 0:
            return ""
        start = self._starts[place]
        size, name = self._functions[start]
        return _TIER.sub(r"\1", name.decode("utf-8", "backslashreplace")) if address < start + size else ""


def _content(read: Read) -> bytes:
    parts = []
    for place in range(0, MAX_BYTES, _CHUNK):
        part = read(place, _CHUNK)
        parts.append(part)
        if len(part) < _CHUNK:
            break
    return b"".join(parts)


def _parse(text: bytes) -> dict[int, tuple[int, bytes]]:
    """Start -> size and name, of lines such as `7f3a10 4c LazyCompile:~handle /srv/app.js:12`."""
    functions: dict[int, tuple[int, bytes]] = {}
    for line in text.split(b"\n"):
        fields = line.split(b" ", 2)
        if len(fields) < 3:
            continue
        try:
            start, size = int(fields[0], 16), int(fields[1], 16)
        except ValueError:
            continue
        functions[start] = (size, fields[2][:1024])
        if len(functions) >= _MAX_ENTRIES:
            break
    return functions
