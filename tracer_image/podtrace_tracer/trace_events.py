"""Trace events: the other way by which a program gets at a tracepoint. Dearer than a raw one, and never preemptible."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from podtrace_tracer.syscall_numbers import number_of

_ATTRIBUTES: Final = struct.Struct("=IIQQQQQIIQ")  # struct perf_event_attr as it was first
_TYPE_TRACEPOINT, _CLOSE_ON_EXEC = 2, 8
_ENABLE, _SET_PROGRAM = 0x2400, 0x4004_2408  # PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_SET_BPF


def find(category: str, names: tuple[str, ...]) -> dict[str, int]:
    """The numbers of trace events; empty if the kernel does not tell all of them."""
    with suppress(OSError), _tracefs() as directory:
        return {name: int((directory / "events" / category / name / "id").read_text()) for name in names}
    return {}


def attach(number: int, program: int, machine: str) -> int:
    """Runs a program at each event, whoever causes it, until the descriptor is closed. Raises OSError."""
    attributes = _ATTRIBUTES.pack(_TYPE_TRACEPOINT, _ATTRIBUTES.size, number, 1, 0, 0, 0, 1, 0, 0)
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(number_of("perf_event_open", machine)), attributes, -1, 0, -1, ctypes.c_ulong(_CLOSE_ON_EXEC)
    )
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        fcntl.ioctl(descriptor, _SET_PROGRAM, program)
        fcntl.ioctl(descriptor, _ENABLE, 0)
    except OSError:
        os.close(descriptor)
        raise
    return int(descriptor)


@contextmanager
def _tracefs() -> Iterator[Path]:
    """Where the kernel tells of its trace events: as mounted, or mounted for as long as it is needed."""
    mounted = Path("/sys/kernel/tracing")
    if (mounted / "events").exists():
        yield mounted
        return
    library = ctypes.CDLL(None, use_errno=True)
    with tempfile.TemporaryDirectory(prefix="podtrace-") as directory:
        if library.mount(b"tracefs", directory.encode(), b"tracefs", ctypes.c_ulong(0), None) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            yield Path(directory)
        finally:
            library.umount2(directory.encode(), 0)
