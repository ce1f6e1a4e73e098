"""Trace events: the other way by which a program gets at a tracepoint. Dearer than a raw one, and never preemptible."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from podtrace_tracer.kernel import perf_event


def find(categories: Mapping[str, str]) -> dict[str, int]:
    """The numbers of trace events, by their names and categories; empty if not all of them are told and permitted."""
    with suppress(OSError), tracefs() as directory:
        found = {
            name: int((directory / "events" / category / name / "id").read_text())
            for name, category in categories.items()
        }
        return found if all(map(perf_event.may_attach_trace_event, found.values())) else {}
    return {}


@contextmanager
def tracefs() -> Iterator[Path]:
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
