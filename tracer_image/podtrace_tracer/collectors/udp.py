"""udp: sends and receives, and datagrams dropped at a full socket."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import io_uring
from podtrace_tracer.collectors.model import Collector, ProbeSpec
from podtrace_tracer.kernel.syscalls import READS_AND_WRITES, SENDS_AND_RECEIVES

COLLECTOR: Final = Collector(
    topic="udp",
    sources=("include/address.bpf.h", "collectors/udp.bpf.c", io_uring.SOURCE),
    syscalls=READS_AND_WRITES | SENDS_AND_RECEIVES,
    probes=(
        ProbeSpec(
            tracepoint="udp_fail_queue_rcv_skb",
            costs="datagrams that were dropped at a full socket are not counted",
            left_out="sockets know their container in the v2 cgroup hierarchy only, and the target is not found by it",
        ),
        *io_uring.PROBES,
    ),
    structs={"sock_cgroup_data": ("cgroup", "val"), **io_uring.STRUCTS},
)
