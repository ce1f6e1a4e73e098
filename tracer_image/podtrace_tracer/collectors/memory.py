"""memory: page faults of threads that ended, and whom the kernel killed for memory; the rest is read from files."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors.model import Collector
from podtrace_tracer.collectors.processes import VICTIMS

COLLECTOR: Final = Collector(
    topic="memory",
    sources=("collectors/memory.bpf.c",),
    probes=(VICTIMS,),
    structs={"task_struct": ("min_flt", "maj_flt")},
)
