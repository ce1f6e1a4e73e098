"""tcp: sends and receives, the sockets' own round-trip times, retransmissions, resets, states."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import io_uring
from podtrace_tracer.collectors.model import Collector, ProbeSpec
from podtrace_tracer.kernel.syscalls import ACCEPTS, READS_AND_WRITES, SENDS_AND_RECEIVES

SOCKET_STATES: Final = ProbeSpec(
    tracepoint="inet_sock_set_state",
    required=True,
    has_copy=True,
    costs="connection attempts, their latency and errors are not seen",
)
SOCKET_ENDS: Final = ProbeSpec(
    tracepoint="tcp_destroy_sock",
    has_copy=True,
    costs="the reset that a socket sends when it is closed with unread data is not counted",
)

COLLECTOR: Final = Collector(
    topic="tcp",
    sources=(
        "include/address.bpf.h",
        "include/sockets.bpf.h",
        "collectors/tcp.bpf.c",
        "collectors/sockets.bpf.c",
        io_uring.SOURCE,
    ),
    syscalls=READS_AND_WRITES | SENDS_AND_RECEIVES | ACCEPTS,
    probes=(
        SOCKET_STATES,
        SOCKET_ENDS,
        ProbeSpec(tracepoint="tcp_retransmit_skb", has_copy=True, costs="retransmissions are not counted"),
        ProbeSpec(tracepoint="tcp_send_reset", has_copy=True, costs="resets sent are not counted"),
        ProbeSpec(tracepoint="tcp_receive_reset", has_copy=True, costs="resets received are not counted"),
        *io_uring.PROBES,
    ),
    structs={"tcp_sock": ("srtt_us",), **io_uring.STRUCTS},
)
