"""processes: execs, forks of processes and threads, exits with their status."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors.model import Collector
from podtrace_tracer.kernel.syscalls import EXECS

COLLECTOR: Final = Collector(topic="processes", sources=(), syscalls=EXECS)
"""Its C file is part of every program: the book of the target's processes is kept there."""
