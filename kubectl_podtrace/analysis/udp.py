"""UDP: sends and receives, their errors, and datagrams that a full socket threw away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.analysis.selection import Op, Selection

DATA_OPERATIONS: Final = ("udp.send", "udp.receive")


@dataclass(frozen=True, kw_only=True)
class Udp:
    """The section `udp`. `drops` are datagrams that reached their socket and found its buffer full."""

    send: Op
    receive: Op
    error_ratio: float
    drops: int
    peak_bytes_per_op: int
    throughput_bytes_per_s: float


def udp(selection: Selection) -> Udp:
    """The section `udp` of the selected scopes."""
    both = [selection.of(name) for name in DATA_OPERATIONS]
    operations = sum(counters.count for counters in both)
    return Udp(
        send=selection.operation("udp.send"),
        receive=selection.operation("udp.receive"),
        error_ratio=sum(counters.errors for counters in both) / operations if operations else 0.0,
        drops=selection.of("udp.drop").count,
        peak_bytes_per_op=max(counters.max_bytes for counters in both),
        throughput_bytes_per_s=selection.per_s(sum(counters.bytes for counters in both)),
    )
