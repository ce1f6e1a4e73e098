"""File names from the kernel's path records, by file key."""

from __future__ import annotations

from typing import Final

from kubectl_podtrace.wire.codec import clean_text
from kubectl_podtrace.wire.fields import CUT_MARK

DELETED, INTERNAL, CUT = 1, 2, 4  # PATH_ constants of include/path.bpf.h
UNKNOWN: Final = "(path not known)"


def assemble(names: bytes, flags: int) -> str:
    r"""A path from NUL-ended names, leaf first.

    >>> assemble(b"passwd\0etc\0", 0)
    '/etc/passwd'
    """
    parts = [part for part in names.split(b"\0") if part]
    parts.reverse()
    if flags & INTERNAL and parts and parts[0].startswith(b"memfd:"):
        return clean_text(b"/".join(parts))
    path = b"/" + b"/".join(parts)
    if flags & CUT:
        path = CUT_MARK.encode() + path
    if flags & DELETED:
        path += b" (deleted)"
    return clean_text(path)


class Paths:
    """Numbers files in the order of their appearance and knows their paths."""

    def __init__(self) -> None:
        self._paths: dict[bytes, str] = {}
        self._numbers: dict[bytes, int] = {}

    def learn(self, key: bytes, names: bytes, flags: int) -> None:
        """Takes a path record's content."""
        self._paths[key] = assemble(names, flags)

    def path(self, key: bytes) -> str:
        """The path of a file, or `UNKNOWN`."""
        return self._paths.get(key, UNKNOWN)

    def number(self, key: bytes) -> int:
        """The number of a key, which stays its own."""
        return self._numbers.setdefault(key, len(self._numbers))
