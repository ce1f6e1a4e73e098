"""processes: execs, forks of processes and threads, exits with their status, and whom the kernel killed for memory."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors.model import Collector, ProbeSpec
from podtrace_tracer.kernel.syscalls import EXECS

VICTIMS: Final = ProbeSpec(
    tracepoint="mark_victim",
    costs="a process that the kernel kills for memory looks like one that was killed by somebody",
)

COLLECTOR: Final = Collector(topic="processes", sources=(), syscalls=EXECS, probes=(VICTIMS,))
"""Its C file is part of every program: the book of the target's processes is kept there."""
