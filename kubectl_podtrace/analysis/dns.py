"""DNS: lookups, how they ended and how long they took, by name, type and resolver; and whose names addresses have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from kubectl_podtrace.analysis.dns_numbers import code_name, type_name
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.search_waste import SearchWaste, search_waste
from kubectl_podtrace.analysis.selection import (
    LISTED,
    NOT_TIMED,
    OTHER,
    Dist,
    Durations,
    Selection,
    most_frequent_first,
)
from kubectl_podtrace.wire.dns_records import AddressNames, DnsCodes, DnsNames, DnsTypes, ResolverRow, Resolvers
from kubectl_podtrace.wire.topics import DNS_ERROR_CODES, DNS_NXDOMAIN


@dataclass(frozen=True, kw_only=True)
class DnsName:
    """A name that was looked up. `errors` are answers that say so, and time-outs; `nxdomain` is apart from them.

    `addresses` are those that answers to it gave last. `(other)` holds all that are not listed.
    """

    name: str
    count: int
    errors: int
    nxdomain: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """A server that was asked: lookups sent to it, those without an answer in time. `(other)` (port 0) as in names."""

    address: str
    port: int
    count: int
    timeouts: int
    latency: Dist


@dataclass(frozen=True, kw_only=True)
class Dns:
    """The section `dns`. `errors` are answers with FORMERR, SERVFAIL, NOTIMP or REFUSED, and `timeouts`.

    NXDOMAIN is no error: search domains make it common. `rcodes` counts answers, `query_types` lookups.
    """

    lookups: int
    per_s: float
    latency: Dist
    answers: int
    errors: int
    error_ratio: float
    timeouts: int
    retransmits: int
    nxdomain_ratio: float
    search_waste: SearchWaste | None
    rcodes: dict[str, int]
    query_types: dict[str, int]
    top_names: tuple[DnsName, ...]
    resolvers: tuple[Resolver, ...]
    partial: tuple[Partial, ...]


def dns(selection: Selection) -> Dns:
    """The section `dns` of the selected scopes."""
    lookups, answers = selection.of("dns.lookup").count, selection.of("dns.answer").count
    errors, codes = selection.of("dns.lookup").errors, _codes(selection)
    types = _added_up((row.query_type, row.count) for row in selection.rows(DnsTypes))
    return Dns(
        lookups=lookups,
        per_s=selection.while_counted("dns.lookup").per_s(lookups),
        latency=selection.latency("dns.lookup"),
        answers=answers,
        errors=errors,
        error_ratio=_ratio(errors, lookups),
        timeouts=selection.of("dns.timeout").count,
        retransmits=selection.of("dns.retransmit").count,
        nxdomain_ratio=_ratio(codes.get(DNS_NXDOMAIN, 0), lookups),
        search_waste=search_waste(selection),
        rcodes=_listed({code_name(code): count for code, count in codes.items()}, total=answers),
        query_types=_listed({type_name(number): count for number, count in types.items()}, total=lookups),
        top_names=_top_names(selection, lookups=lookups, errors=errors, nxdomain=codes.get(DNS_NXDOMAIN, 0)),
        resolvers=_resolvers(selection, lookups=lookups),
        partial=selection.partial_of("dns"),
    )


def errors_by_name(section: Dns) -> dict[str, int]:
    """What `errors` holds, the most frequent first: answers by their code, `timeouts`, and `UNKNOWN` without a row."""
    found = {name: section.rcodes.get(name, 0) for name in map(code_name, sorted(DNS_ERROR_CODES))}
    found["timeouts"] = section.timeouts
    found["UNKNOWN"] = max(section.errors - sum(found.values()), 0)
    return most_frequent_first({name: count for name, count in found.items() if count})


def names_of_addresses(selection: Selection) -> Mapping[tuple[int, str], str]:
    """The name whose lookup gave an address, by scope and address."""
    return {(row.scope, row.address): row.name for row in selection.rows(AddressNames) if row.name}


def _codes(selection: Selection) -> dict[int, int]:
    return _added_up((row.code, row.count) for row in selection.rows(DnsCodes))


def _added_up(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for number, count in pairs:
        sums[number] = sums.get(number, 0) + count
    return sums


def _ratio(part: int, lookups: int) -> float:
    """A share of the lookups; in a window, answers to earlier ones may be more than that."""
    return min(part / lookups, 1.0) if lookups else 0.0


def _listed(counts: Mapping[str, int], *, total: int) -> dict[str, int]:
    """The most frequent first, and what is missing of the total as the rest."""
    found = dict(islice(most_frequent_first(counts).items(), LISTED))
    rest = total - sum(found.values())
    return {**found, OTHER: rest} if rest > 0 else found


def _top_names(selection: Selection, *, lookups: int, errors: int, nxdomain: int) -> tuple[DnsName, ...]:
    sums: dict[str, list[int]] = {}
    for row in selection.rows(DnsNames):
        sums.setdefault(row.name, [0, 0, 0])
        for position, number in enumerate((row.lookups, row.errors + row.timeouts, row.nxdomain)):
            sums[row.name][position] += number
    best = sorted(sums.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))[:LISTED]
    addresses = _addresses(selection)
    listed = [
        DnsName(name=name, count=count, errors=failed, nxdomain=absent, addresses=addresses.get(name, ()))
        for name, (count, failed, absent) in best
    ]
    other = DnsName(
        name=OTHER,
        count=max(lookups - sum(entry.count for entry in listed), 0),
        errors=max(errors - sum(entry.errors for entry in listed), 0),
        nxdomain=max(nxdomain - sum(entry.nxdomain for entry in listed), 0),
        addresses=(),
    )
    return (*listed, other) if other.count or other.errors or other.nxdomain else tuple(listed)


def _addresses(selection: Selection) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for (_, address), name in names_of_addresses(selection).items():
        found.setdefault(name, set()).add(address)
    return {name: tuple(sorted(addresses)[:LISTED]) for name, addresses in found.items()}


@dataclass(kw_only=True)
class _Asked:
    """What is known of one resolver, added up over scopes."""

    lookups: int = 0
    timeouts: int = 0
    durations: Durations = field(default_factory=Durations)

    def add(self, row: ResolverRow) -> None:
        self.lookups += row.lookups
        self.timeouts += row.timeouts
        self.durations.add(count=row.answers, sum_ns=row.sum_ns, max_ns=row.max_ns, buckets=row.buckets)


def _resolvers(selection: Selection, *, lookups: int) -> tuple[Resolver, ...]:
    asked: dict[tuple[str, int], _Asked] = {}
    for row in selection.rows(Resolvers):
        asked.setdefault((row.address, row.port), _Asked()).add(row)
    best = sorted(asked.items(), key=lambda item: (-item[1].lookups, item[0]))[:LISTED]
    listed = [
        Resolver(
            address=address,
            port=port,
            count=found.lookups,
            timeouts=found.timeouts,
            latency=found.durations.dist(),
        )
        for (address, port), found in best
    ]
    rest = lookups - sum(entry.count for entry in listed)
    if rest > 0:
        timeouts = selection.of("dns.timeout").count - sum(entry.timeouts for entry in listed)
        listed.append(Resolver(address=OTHER, port=0, count=rest, timeouts=max(timeouts, 0), latency=NOT_TIMED))
    return tuple(listed)
