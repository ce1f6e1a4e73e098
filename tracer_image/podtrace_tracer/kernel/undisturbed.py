"""Runs a call into the kernel's maps without being preempted by ordinary processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """While a process reads or writes a map, the kernel skips on that CPU the programs that come by trace events.

    That takes microseconds, but a time slice or more if the process is preempted in the middle; so it is not. Where
    real-time scheduling is refused it may be; the kernel counts the skipped programs either way.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
