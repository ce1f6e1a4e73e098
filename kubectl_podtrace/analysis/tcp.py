"""TCP: sends, receives, the sockets' round-trip times, retransmits, resets and state changes."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import Dist, Op, Selection
from kubectl_podtrace.analysis.transfers import transfers
from kubectl_podtrace.wire.topics import TCP_STATES


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
    partial: tuple[Partial, ...]


def tcp(selection: Selection, *, rtt_threshold_ns: int) -> Tcp:
    """The section `tcp` of the selected scopes."""
    both = transfers(selection, "tcp")
    entered = {state: selection.of(f"tcp.state_{state.lower()}").count for state in TCP_STATES}
    rtt = selection.latency("tcp.rtt")
    return Tcp(
        send=both.send,
        receive=both.receive,
        rtt=Rtt(**vars(rtt), spikes=selection.of("tcp.rtt").slow, threshold_ns=rtt_threshold_ns),
        error_ratio=both.error_ratio,
        retransmits=selection.of("tcp.retransmit").count,
        resets_sent=selection.of("tcp.reset_sent").count,
        resets_received=selection.of("tcp.reset_received").count,
        peak_bytes_per_op=both.peak_bytes_per_op,
        throughput_bytes_per_s=both.throughput_bytes_per_s,
        states={state: number for state, number in entered.items() if number},
        partial=selection.partial_of("tcp"),
    )
