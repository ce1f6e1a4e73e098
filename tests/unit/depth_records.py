"""What a tracer tells of connections of one request, and of lookups that search domains cause."""

from __future__ import annotations

from kubectl_podtrace.wire.connection_records import OneShotRow, OneShots
from kubectl_podtrace.wire.records import Record
from kubectl_podtrace.wire.search_records import DnsEmpty, DnsEmptyRow, ResolverSettings, ResolverSettingsRow


def depth_records() -> tuple[Record, ...]:
    """A target with one request per connection, an answer without an address, the settings of a pod."""
    search = "shop.svc.cluster.local svc.cluster.local cluster.local"
    return (
        OneShots(
            rows=(OneShotRow(scope=0, address="10.96.12.7", port=5432, connections=1_709, handshake_ns=1_880_000_000),)
        ),
        DnsEmpty(rows=(DnsEmptyRow(scope=0, key=0, empty_aaaa=1),)),
        ResolverSettings(rows=(ResolverSettingsRow(scope=0, search=search, ndots=5),)),
    )
