"""The parts of a process's memory map in which its code and its files' variables are."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_PATH: Final = 400
"""Longer ones are cut in front: the end of a path tells more."""
_DELETED: Final = " (deleted)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapping:
    """A piece of memory. Without an `inode` it is no file's; `path` may still name it (`[vdso]`)."""

    start: int
    end: int
    offset: int
    device: str
    inode: int
    path: str
    is_code: bool
    is_writable: bool

    @property
    def file(self) -> tuple[str, int] | None:
        """What tells the file from others on this node; None where it is no file's."""
        return (self.device, self.inode) if self.inode else None


class MemoryMap:
    """The mappings of one process by address: `mappings` are those that code runs in."""

    def __init__(self, mappings: tuple[Mapping, ...] = ()) -> None:
        self.mappings = tuple(mapping for mapping in mappings if mapping.is_code)
        self._starts = [mapping.start for mapping in self.mappings]
        self._variables = tuple(mapping for mapping in mappings if mapping.is_writable and mapping.inode)

    def find_variables(self, address: int) -> Mapping | None:
        """The part of a file whose variables an address can be among; its zeros follow it in no file's mapping."""
        place = bisect_right(self._variables, address, key=lambda mapping: mapping.start) - 1
        return self._variables[place] if place >= 0 else None

    def find(self, address: int) -> Mapping | None:
        """The mapping that holds an address."""
        place = bisect_right(self._starts, address) - 1
        if place < 0 or address >= self.mappings[place].end:
            return None
        return self.mappings[place]


def read(directory: Path) -> MemoryMap:
    """The map of the process of this /proc directory. Raises OSError when it has gone.

    Paths are as the process sees them, also where its root is a directory of ours.
    """
    with (directory / "maps").open("rb") as file:
        text = file.read(_MAX_BYTES)
    try:
        root = str((directory / "root").readlink()).rstrip("/")
    except OSError:
        root = ""
    return MemoryMap(parse(text, root))


def parse(text: bytes, root: str = "") -> tuple[Mapping, ...]:
    """The mappings in the text of a maps file that code or a file's variables are in, by address.

    >>> parse(b"7f00-7f80 r-xp 00001000 08:01 42                         /lib/libc.so.6")[0].inode
    42
    """
    found = []
    for line in text.split(b"\n"):
        fields = line.split(None, 5)
        if len(fields) < 5:
            continue
        is_code, is_writable = b"x" in fields[1], b"w" in fields[1]
        if not is_code and (not is_writable or fields[4] == b"0"):
            continue
        first, _, end = fields[0].partition(b"-")
        path = fields[5].decode("utf-8", "backslashreplace") if len(fields) > 5 else ""
        try:
            found.append(
                Mapping(
                    start=int(first, 16),
                    end=int(end, 16),
                    offset=int(fields[2], 16),
                    device=fields[3].decode("ascii"),
                    inode=int(fields[4]),
                    path=_inside(path.replace("\\012", "\n").removesuffix(_DELETED), root),
                    is_code=is_code,
                    is_writable=is_writable,
                )
            )
        except ValueError:
            continue
    return tuple(sorted(found, key=lambda mapping: mapping.start))


def _inside(path: str, root: str) -> str:
    if root and path.startswith(f"{root}/"):
        path = path[len(root) :]
    return path if len(path) <= _MAX_PATH else f"…{path[1 - _MAX_PATH :]}"
