"""Giving back what only the compiler needed: clang's heap, and the pages of LLVM's code."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Final

_DONTNEED: Final = 4  # MADV_ constants of asm-generic/mman-common.h; PAGEOUT since Linux 5.4
_PAGEOUT: Final = 21
_COMPILER: Final = ("/libLLVM", "/libclang", "/libz3", "/libbcc.")


def release_compiler() -> None:
    """The programs are compiled: what was allocated for it goes back to the system, and code that is not run any more
    is dropped from memory (it is read from its file again if it should be). Where the kernel will not, nothing is lost.
    """
    library = ctypes.CDLL(None, use_errno=True)
    library.malloc_trim(0)
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        if not any(name in line for name in _COMPILER):
            continue
        addresses, permissions = line.split(" ")[:2]
        start, end = (int(text, 16) for text in addresses.split("-"))
        library.madvise(start, end - start, _PAGEOUT)
        if permissions == "r-xp":
            # Pages that another process maps stay in memory, but not necessarily here. Code has no changes to lose.
            library.madvise(start, end - start, _DONTNEED)
