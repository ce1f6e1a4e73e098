"""Sends and receives of a protocol, TCP or UDP: each direction, and the numbers of both together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kubectl_podtrace.analysis.selection import Op, Selection


@dataclass(frozen=True, kw_only=True)
class Transfers:
    """Both directions; `error_ratio` is the share of failed ones, `peak_bytes_per_op` the largest of them."""

    send: Op
    receive: Op
    error_ratio: float
    peak_bytes_per_op: int
    throughput_bytes_per_s: float


def transfers(selection: Selection, protocol: Literal["tcp", "udp"]) -> Transfers:
    """The transfers over a protocol in the selected scopes."""
    names = (f"{protocol}.send", f"{protocol}.receive")
    send, receive = (selection.operation(name) for name in names)
    both = [selection.of(name) for name in names]
    operations = sum(counters.count for counters in both)
    return Transfers(
        send=send,
        receive=receive,
        error_ratio=sum(counters.errors for counters in both) / operations if operations else 0.0,
        peak_bytes_per_op=max(counters.max_bytes for counters in both),
        throughput_bytes_per_s=selection.while_counted(*names).per_s(sum(counters.bytes for counters in both)),
    )
