"""TCP: sends, receives, the sockets' round-trip times, retransmits, resets and state changes."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.selection import Dist, Op, Selection
from kubectl_podtrace.wire.topics import TCP_STATES

DATA_OPERATIONS = ("tcp.send", "tcp.receive")


@dataclass(frozen=True, kw_only=True)
class Rtt(Dist):
    """Samples of the smoothed round-trip time; `spikes` are longer than the threshold."""

    spikes: int
    threshold_ns: int


@dataclass(frozen=True, kw_only=True)
class Tcp:
    """The section `tcp`. `states` counts the sockets that entered a state, those with any."""

    send: Op
    receive: Op
    rtt: Rtt
    error_ratio: float
    retransmits: int
    resets_sent: int
    resets_received: int
    peak_bytes_per_op: int
    throughput_bytes_per_s: float
    states: dict[str, int]


def tcp(selection: Selection, *, rtt_threshold_ns: int) -> Tcp:
    """The section `tcp` of the selected scopes."""
    both = [selection.of(name) for name in DATA_OPERATIONS]
    operations = sum(counters.count for counters in both)
    entered = {state: selection.of(f"tcp.state_{state.lower()}").count for state in TCP_STATES}
    rtt = selection.latency("tcp.rtt")
    return Tcp(
        send=selection.operation("tcp.send"),
        receive=selection.operation("tcp.receive"),
        rtt=Rtt(
            count=rtt.count,
            avg_ns=rtt.avg_ns,
            max_ns=rtt.max_ns,
            p50_ns=rtt.p50_ns,
            p95_ns=rtt.p95_ns,
            p99_ns=rtt.p99_ns,
            spikes=selection.of("tcp.rtt").slow,
            threshold_ns=rtt_threshold_ns,
        ),
        error_ratio=sum(counters.errors for counters in both) / operations if operations else 0.0,
        retransmits=selection.of("tcp.retransmit").count,
        resets_sent=selection.of("tcp.reset_sent").count,
        resets_received=selection.of("tcp.reset_received").count,
        peak_bytes_per_op=max(counters.max_bytes for counters in both),
        throughput_bytes_per_s=selection.per_s(sum(counters.bytes for counters in both)),
        states={state: number for state, number in entered.items() if number},
    )
