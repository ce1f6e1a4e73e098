"""What the kernel's own trace says of an event, without any program."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from podtrace_tracer.kernel.trace_events import tracefs

LINE = re.compile(r"^.{16,}?-(\d+)\s+\[\d+\]", re.MULTILINE)


@contextmanager
def threads_at(event: str, condition: str) -> Iterator[Callable[[], list[int]]]:
    """Traces an event (`category/name`) that meets a condition; asks for the threads in which it came until now.

    If it came in an interrupt, that is the thread that was interrupted.
    """
    with tracefs() as directory:
        own = directory / "instances" / f"podtrace-test-{os.getpid()}"
        own.mkdir()
        try:
            (own / "events" / event / "filter").write_text(condition)
            (own / "events" / event / "enable").write_text("1")
            yield lambda: [int(thread) for thread in LINE.findall((own / "trace").read_text())]
        finally:
            own.rmdir()
