"""Which code is behind slow operations and leaks, for the findings about them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.stacks import Frame, Stack

_C_LIBRARIES: Final = ("libc.so", "libc-", "libc.musl", "libpthread", "ld-", "[vdso]", "linux-vdso")
"""What every program calls the kernel through: it is behind nothing."""


def culprit(stacks: tuple[Stack, ...] | None, operation: str) -> str | None:
    """The function that called for the slow operations of a kind that took most time; None where none is known."""
    known = (stack for stack in stacks or () if stack.operation == operation and stack.target != OTHER)
    worst = next(known, None)
    if worst is None:
        return None
    return caller(worst.frames)


def caller(frames: Iterable[Frame]) -> str | None:
    """The innermost function of a stack that is not one of the C library's; None where none is known."""
    named = (frame for frame in frames if frame.symbol and not _file_of(frame).startswith(_C_LIBRARIES))
    frame = next(named, None)
    if frame is None:
        return None
    return f"{frame.symbol} ({frame.source or _file_of(frame)})"


def _file_of(frame: Frame) -> str:
    return frame.module.rpartition("/")[2] or frame.module
