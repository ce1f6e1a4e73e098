"""Opening files as a process with another root would find them: no link, and no `..`, leads out of it."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_OPENAT2: Final = 437  # on every architecture
_HOW: Final = struct.Struct("=QQQ")  # struct open_how of openat2(2): flags, mode, resolve
_NO_MAGICLINKS, _IN_ROOT = 0x02, 0x10  # RESOLVE_


@contextmanager
def opened_inside(root: int, path: str, flags: int) -> Iterator[int]:
    """A file below a directory that stands for the root, by the path that it has there. Raises OSError."""
    how = _HOW.pack(flags | os.O_CLOEXEC, 0, _IN_ROOT | _NO_MAGICLINKS)
    call = ctypes.CDLL(None, use_errno=True).syscall
    descriptor = call(ctypes.c_long(_OPENAT2), root, path.encode(), how, ctypes.c_size_t(len(how)))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        yield descriptor
    finally:
        os.close(descriptor)
