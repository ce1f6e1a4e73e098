"""Network I/O: what went out and came in over TCP and UDP together, on average and at its peak."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import Selection
from kubectl_podtrace.wire.topics import RECEIVES, SENDS, TRANSFERS


@dataclass(frozen=True, kw_only=True)
class NetworkIo:
    """The section `network_io`: sends and receives of TCP and UDP.

    `send_receive_ratio` is of operations, null when nothing was received.
    """

    send_receive_ratio: float | None
    average_bytes_per_s: float
    peak_bytes_per_s: float
    average_ops_per_s: float
    peak_ops_per_s: float
    partial: tuple[Partial, ...]


def network_io(selection: Selection) -> NetworkIo:
    """The section `network_io` of the selected scopes; peaks are of windows of 1 s."""
    selection = selection.while_counted(*TRANSFERS)
    sends, receives = (sum(selection.of(name).count for name in names) for names in (SENDS, RECEIVES))
    byte_count = sum(selection.of(name).bytes for name in TRANSFERS)
    return NetworkIo(
        send_receive_ratio=sends / receives if receives else None,
        average_bytes_per_s=selection.per_s(byte_count),
        peak_bytes_per_s=selection.peak_per_s("network_io", in_bytes=True),
        average_ops_per_s=selection.per_s(sends + receives),
        peak_ops_per_s=selection.peak_per_s("network_io"),
        partial=selection.partial_of("network_io"),
    )
