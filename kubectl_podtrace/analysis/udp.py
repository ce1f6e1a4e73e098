"""UDP: sends and receives, their errors, and datagrams that a full socket threw away."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import Op, Selection
from kubectl_podtrace.analysis.transfers import transfers


@dataclass(frozen=True, kw_only=True)
class Udp:
    """The section `udp`. `drops` are datagrams that reached their socket and found its buffer full."""

    send: Op
    receive: Op
    error_ratio: float
    drops: int
    peak_bytes_per_op: int
    throughput_bytes_per_s: float
    partial: tuple[Partial, ...]


def udp(selection: Selection) -> Udp:
    """The section `udp` of the selected scopes."""
    both = transfers(selection, "udp")
    return Udp(
        send=both.send,
        receive=both.receive,
        error_ratio=both.error_ratio,
        drops=selection.of("udp.drop").count,
        peak_bytes_per_op=both.peak_bytes_per_op,
        throughput_bytes_per_s=both.throughput_bytes_per_s,
        partial=selection.partial_of("udp"),
    )
