"""What a stream says of DNS, its containers added up."""

from __future__ import annotations

from collections import Counter

from kubectl_podtrace.wire import dns_records
from tests.bpf.stream import Stream


def types(stream: Stream) -> Counter[int]:
    """Lookups by type."""
    rows = {(row.scope, row.query_type): row.count for record in stream.of(dns_records.DnsTypes) for row in record.rows}
    return _added({(scope, key): count for (scope, key), count in rows.items()})


def codes(stream: Stream) -> Counter[int]:
    """Answers by response code."""
    rows = {(row.scope, row.code): row.count for record in stream.of(dns_records.DnsCodes) for row in record.rows}
    return _added(rows)


def _added(rows: dict[tuple[int, int], int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for (_, key), count in rows.items():
        found[key] += count
    return found


def names(stream: Stream) -> dict[str, dns_records.DnsNameRow]:
    """The last row of each name."""
    rows = {(row.scope, row.key): row for record in stream.of(dns_records.DnsNames) for row in record.rows}
    by_name = {row.name: row for row in rows.values()}
    assert len(by_name) == len(rows), "a name stands twice"
    return by_name


def asked_by_name(stream: Stream) -> Counter[str]:
    """How many lookups asked for each name."""
    return Counter({name: row.lookups for name, row in names(stream).items()})


def resolvers(stream: Stream) -> dict[tuple[str, int], dns_records.ResolverRow]:
    """The last row of each server."""
    rows = {
        (row.scope, row.address, row.port): row for record in stream.of(dns_records.Resolvers) for row in record.rows
    }
    return {(address, port): row for (_, address, port), row in rows.items()}


def assert_dns_adds_up(stream: Stream) -> None:
    """The tables of names, types, codes and servers add up to the totals."""
    counts = stream.counts()
    if "dns.lookup" not in counts:
        return
    lookups = counts["dns.lookup"].count
    answers = counts["dns.answer"].count if "dns.answer" in counts else 0
    timeouts = counts["dns.timeout"].count if "dns.timeout" in counts else 0
    unlisted = {row.table: row.unlisted for row in stream.trailer.heartbeat.tables}
    rows, servers = names(stream).values(), resolvers(stream).values()
    assert sum(row.lookups for row in rows) + unlisted["dns_names"] == lookups
    assert sum(row.lookups for row in servers) == sum(types(stream).values()) == lookups
    assert sum(row.answers for row in servers) == sum(codes(stream).values()) == answers
    assert sum(row.timeouts for row in servers) == timeouts
    assert sum(sum(row.buckets[1::2]) for row in servers) == answers
    assert stream.total("dns.lookup").timed == answers
    if not unlisted["dns_names"]:
        assert sum(row.answers for row in rows) == answers
        assert sum(row.timeouts for row in rows) == timeouts
