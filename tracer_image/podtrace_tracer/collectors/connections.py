"""connections: attempts, handshakes, failures by errno, accepts; targets by address."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import io_uring
from podtrace_tracer.collectors.model import Collector
from podtrace_tracer.collectors.tcp import SOCKET_ENDS, SOCKET_STATES
from podtrace_tracer.kernel.syscalls import ACCEPTS

COLLECTOR: Final = Collector(
    topic="connections",
    sources=(
        "include/address.bpf.h",
        "include/payload.bpf.h",
        "include/sockets.bpf.h",
        "include/exchanges.bpf.h",
        "collectors/connections.bpf.c",
        "collectors/sockets.bpf.c",
        io_uring.SOURCE,
    ),
    syscalls=ACCEPTS | {"connect"},
    probes=(SOCKET_STATES, SOCKET_ENDS, *io_uring.PROBES),
    structs=io_uring.STRUCTS,
)
