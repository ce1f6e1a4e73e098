"""Which sockets a process has open, from /proc."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PREFIX: Final = "socket:["


def sockets_of(pid: int, proc: Path) -> frozenset[int]:
    """The sockets that a process has open, by inode number; none if it has ended."""
    try:
        links = [_link(descriptor) for descriptor in (proc / str(pid) / "fd").iterdir()]
    except OSError:
        return frozenset()
    return frozenset(int(link[len(_PREFIX) : -1]) for link in links if link.startswith(_PREFIX))


def _link(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""  # closed meanwhile
