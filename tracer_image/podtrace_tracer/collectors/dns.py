"""dns: lookups, answers and time-outs on port 53, by name, type, code and server."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import io_uring
from podtrace_tracer.collectors.model import Collector
from podtrace_tracer.kernel.syscalls import READS_AND_WRITES, SENDS_AND_RECEIVES

COLLECTOR: Final = Collector(
    topic="dns",
    sources=(
        "include/address.bpf.h",
        "include/payload.bpf.h",
        "include/dns.bpf.h",
        "include/dns_count.bpf.h",
        "collectors/dns.bpf.c",
        io_uring.SOURCE,
    ),
    syscalls=READS_AND_WRITES | SENDS_AND_RECEIVES,
    probes=io_uring.PROBES,
    structs=io_uring.STRUCTS,
)
