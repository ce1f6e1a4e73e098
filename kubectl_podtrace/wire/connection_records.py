"""The records of how connections were used; what all records have in common is said in `records`."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, Index, Port, Text


@dataclass(frozen=True, kw_only=True)
class OneShotRow:
    """Connections to a target that were closed after one request; `handshake_ns` is what their handshakes took."""

    scope: Index
    address: Text
    port: Port
    connections: Count
    handshake_ns: Count


@dataclass(frozen=True, kw_only=True)
class OneShots:
    """Targets of connections that carried one request each, as `Files`."""

    rows: tuple[OneShotRow, ...]
