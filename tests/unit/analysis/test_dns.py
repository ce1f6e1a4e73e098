"""DNS's numbers, against what was put into the stream; names of addresses at the connections that they label."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.connections import connections
from kubectl_podtrace.analysis.dns import Dns, dns, errors_by_name
from kubectl_podtrace.wire.dns_records import (
    AddressNameRow,
    AddressNames,
    DnsCodeRow,
    DnsCodes,
    DnsNameRow,
    DnsNames,
    DnsTypeRow,
    DnsTypes,
    ResolverRow,
    Resolvers,
)
from kubectl_podtrace.wire.histogram import bucket_of
from kubectl_podtrace.wire.records import TargetRow, Targets, Totals
from tests.unit.analysis.selections import selection_of
from tests.unit.streams import Stream, timed, totals_row

MILLISECOND = 1_000_000


def totals(*, lookups: int, errors: int = 0, answers: int = 0, timeouts: int = 0, retransmits: int = 0) -> Totals:
    counts = {"answer": answers, "timeout": timeouts, "retransmit": retransmits}
    return Totals(
        rows=(
            totals_row("dns.lookup", count=lookups, errors=errors),
            *(totals_row(f"dns.{name}", count=count) for name, count in counts.items()),
        )
    )


def codes(counts: dict[int, int], *, scope: int = 0) -> DnsCodes:
    return DnsCodes(rows=tuple(DnsCodeRow(scope=scope, code=code, count=count) for code, count in counts.items()))


def name_row(name: str, lookups: int, *, key: int = 0, scope: int = 0, **counters: int) -> DnsNameRow:
    zeros = dict.fromkeys(("answers", "errors", "nxdomain", "timeouts", "total_ns", "max_ns"), 0)
    return DnsNameRow(scope=scope, key=key, name=name, lookups=lookups, **{**zeros, **counters})


def resolver_row(address: str, durations: list[int], *, lookups: int, timeouts: int = 0, scope: int = 0) -> ResolverRow:
    _, histogram = timed("dns.lookup", durations)
    return ResolverRow(
        scope=scope, address=address, port=53, lookups=lookups, answers=len(durations), timeouts=timeouts,
        sum_ns=sum(durations), max_ns=max(durations, default=0), buckets=histogram.buckets,
    )  # fmt: skip


def address_names(*pairs: tuple[str, str], scope: int = 0) -> AddressNames:
    return AddressNames(rows=tuple(AddressNameRow(scope=scope, address=address, name=name) for address, name in pairs))


def target(address: str, attempts: int, *, scope: int = 0) -> TargetRow:
    return TargetRow(
        scope=scope, address=address, port=443, attempts=attempts, failed=0, established=0, handshake_ns=0, max_ns=0
    )


def section_of(*records: object) -> Dns:
    stream = Stream()
    stream.add(*records)  # type: ignore[arg-type]
    stream.end(10)
    return dns(selection_of(stream.fold()))


def test_lookups_rate_and_latency_are_those_of_the_stream() -> None:
    row, histogram = timed("dns.lookup", [2 * MILLISECOND, 4 * MILLISECOND], count=3)
    counts = totals(lookups=0, answers=2, retransmits=5).rows[1:]
    section = section_of(Totals(rows=(row, *counts)), histogram)
    assert (section.lookups, section.answers, section.retransmits) == (3, 2, 5)
    assert section.per_s == pytest.approx(0.3)
    assert (section.latency.count, section.latency.avg_ns, section.latency.max_ns) == (2, 3_000_000, 4_000_000)


def test_errors_are_four_codes_and_timeouts_and_never_an_absent_name() -> None:
    section = section_of(
        totals(lookups=200, errors=34, answers=187, timeouts=13),
        codes({0: 100, 1: 2, 2: 11, 3: 60, 4: 1, 5: 7, 6: 3, 9: 3}),
    )
    assert section.errors == 2 + 11 + 1 + 7 + 13
    assert section.error_ratio == pytest.approx(34 / 200)
    assert section.timeouts == 13
    assert section.nxdomain_ratio == pytest.approx(60 / 200)
    assert errors_by_name(section) == {"timeouts": 13, "SERVFAIL": 11, "REFUSED": 7, "FORMERR": 2, "NOTIMP": 1}


def test_errors_whose_code_did_not_arrive_are_named_unknown() -> None:
    section = section_of(totals(lookups=200, errors=34, answers=187, timeouts=13), codes({2: 11}))
    assert errors_by_name(section) == {"timeouts": 13, "SERVFAIL": 11, "UNKNOWN": 10}


def test_response_codes_and_query_types_have_their_registered_names_the_most_frequent_first() -> None:
    types = {1: 7, 28: 9, 33: 1, 65_280: 1}
    section = section_of(
        totals(lookups=18, answers=9),
        codes({0: 3, 3: 5, 13: 1}),
        DnsTypes(rows=tuple(DnsTypeRow(scope=0, query_type=number, count=count) for number, count in types.items())),
    )
    assert list(section.rcodes.items()) == [("NXDOMAIN", 5), ("NOERROR", 3), ("RCODE13", 1)]
    assert list(section.query_types.items()) == [("AAAA", 9), ("A", 7), ("SRV", 1), ("TYPE65280", 1)]


def test_what_no_row_tells_of_is_the_rest_so_that_lists_add_up() -> None:
    rows = tuple(DnsTypeRow(scope=0, query_type=1_000 + number, count=2) for number in range(150))
    section = section_of(totals(lookups=301, answers=20), codes({0: 17}), DnsTypes(rows=rows))
    assert section.rcodes == {"NOERROR": 17, "(other)": 3}
    assert len(section.query_types) == 101
    assert section.query_types["(other)"] == 101
    assert sum(section.query_types.values()) == 301


def test_names_have_their_errors_with_time_outs_and_the_addresses_that_they_gave() -> None:
    section = section_of(
        totals(lookups=50, errors=22, answers=40, timeouts=10),
        codes({0: 20, 2: 12, 3: 8}),
        DnsNames(
            rows=(
                name_row("db.shop", 20, key=1, errors=3, timeouts=4),
                name_row("db.shop", 5, key=2, scope=1, errors=1),
                name_row("absent.shop", 9, key=3, nxdomain=8),
            )
        ),
        address_names(("10.0.0.9", "db.shop"), ("10.0.0.10", "db.shop"), ("10.0.0.11", "other.shop")),
        address_names(("10.0.0.9", "db.shop"), scope=1),
    )
    first, second, other = section.top_names
    assert (first.name, first.count, first.errors, first.nxdomain) == ("db.shop", 25, 8, 0)
    assert first.addresses == ("10.0.0.10", "10.0.0.9")
    assert (second.name, second.count, second.errors, second.nxdomain, second.addresses) == ("absent.shop", 9, 0, 8, ())
    assert (other.name, other.count, other.errors, other.nxdomain) == ("(other)", 16, 14, 0)
    assert sum(entry.errors for entry in section.top_names) == section.errors


def test_more_than_a_hundred_names_are_listed_with_an_exact_rest() -> None:
    rows = tuple(name_row(f"host-{number}.shop", 1 + number, key=number, nxdomain=1) for number in range(130))
    total = sum(row.lookups for row in rows) + 7
    section = section_of(totals(lookups=total, answers=total), codes({0: total - 130, 3: 130}), DnsNames(rows=rows))
    assert len(section.top_names) == 101
    assert section.top_names[0].name == "host-129.shop"
    assert sum(entry.count for entry in section.top_names) == total
    assert sum(entry.nxdomain for entry in section.top_names) == 130


def test_a_resolver_has_the_latency_of_its_own_answers() -> None:
    fast, slow = [MILLISECOND] * 30, [40 * MILLISECOND, 60 * MILLISECOND]
    section = section_of(
        totals(lookups=50, answers=34, timeouts=9),
        Resolvers(
            rows=(
                resolver_row("10.96.0.10", fast, lookups=30),
                resolver_row("10.96.0.10", [MILLISECOND] * 2, lookups=2, scope=1),
                resolver_row("fd00::10", slow, lookups=11, timeouts=8),
            )
        ),
    )
    first, second, other = section.resolvers
    assert (first.address, first.port, first.count, first.timeouts) == ("10.96.0.10", 53, 32, 0)
    assert (first.latency.count, first.latency.avg_ns, first.latency.max_ns) == (32, MILLISECOND, MILLISECOND)
    assert first.latency.p99_ns == pytest.approx(MILLISECOND, rel=0.032)
    assert (second.address, second.latency.count, second.latency.avg_ns) == ("fd00::10", 2, 50 * MILLISECOND)
    assert (other.address, other.count, other.timeouts, other.latency.count) == ("(other)", 7, 1, 0)


def test_buckets_that_are_no_histogram_give_no_percentile() -> None:
    bad = ResolverRow(
        scope=0, address="10.0.0.1", port=53, lookups=1, answers=1, timeouts=0, sum_ns=5, max_ns=5,
        buckets=(bucket_of(5), 1, 7),
    )  # fmt: skip
    (found,) = section_of(totals(lookups=1, answers=1), Resolvers(rows=(bad,))).resolvers
    assert (found.latency.count, found.latency.avg_ns, found.latency.p99_ns) == (1, 5, 0)


def test_nothing_looked_up_has_zeros_and_divides_by_nothing() -> None:
    section = section_of()
    assert (section.lookups, section.error_ratio, section.nxdomain_ratio, section.latency.count) == (0, 0, 0, 0)
    assert (section.top_names, section.resolvers, section.rcodes, section.query_types) == ((), (), {}, {})


def test_errors_of_earlier_lookups_make_no_share_of_more_than_all() -> None:
    section = section_of(totals(lookups=2, errors=5, timeouts=5), codes({3: 9}))
    assert (section.error_ratio, section.nxdomain_ratio) == (1, 1)


def test_a_connection_has_the_name_whose_lookup_gave_its_address() -> None:
    stream = Stream()
    stream.add(
        address_names(("10.0.0.9", "old.shop")),
        address_names(("10.0.0.9", "db.shop"), ("fd00::9", "cache.shop")),
        address_names(("10.0.0.7", "elsewhere.shop"), scope=1),
        Targets(rows=(target("10.0.0.9", 3), target("fd00::9", 2), target("10.0.0.7", 1))),
        Totals(rows=(totals_row("connections.attempt", count=7),)),
    )
    found = connections(selection_of(stream.fold())).top_targets
    assert [(entry.address, entry.name) for entry in found] == [
        ("10.0.0.9", "db.shop"),
        ("fd00::9", "cache.shop"),
        ("10.0.0.7", None),
        ("(other)", None),
    ]
