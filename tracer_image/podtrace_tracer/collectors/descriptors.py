"""descriptors: opens and closes, counted only. The programs that read system calls hold all that it needs."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import io_uring
from podtrace_tracer.collectors.files import OPENS
from podtrace_tracer.collectors.model import Collector

COLLECTOR: Final = Collector(
    topic="descriptors",
    sources=(io_uring.SOURCE,),
    syscalls=OPENS | {"close"},
    probes=io_uring.PROBES,
    structs=io_uring.STRUCTS,
)
