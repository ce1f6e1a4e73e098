"""The records of the topic dns: names, types, response codes, the servers that were asked, the names of addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from kubectl_podtrace.wire.fields import Count, Index, Limit, Port, Text


@dataclass(frozen=True, kw_only=True)
class DnsNameRow:
    """A name that was looked up; `key` is its number here.

    `answers` came within `topics.DNS_TIMEOUT_NS`, with whatever code; `errors` are those of them whose code is one of
    `topics.DNS_ERROR_CODES`. `total_ns` and `max_ns`: sum and longest of the answered ones' durations.
    """

    scope: Index
    key: Count
    name: Text
    lookups: Count
    answers: Count
    errors: Count
    nxdomain: Count
    timeouts: Count
    total_ns: Count
    max_ns: Count


@dataclass(frozen=True, kw_only=True)
class DnsNames:
    """Names that were looked up, as `Files`."""

    rows: tuple[DnsNameRow, ...]


@dataclass(frozen=True, kw_only=True)
class DnsTypeRow:
    """How many lookups asked for records of a type, by its number (1 is A, 28 is AAAA)."""

    scope: Index
    query_type: Annotated[int, Limit(high=65_535)]
    count: Count


@dataclass(frozen=True, kw_only=True)
class DnsTypes:
    """Lookups by the type that they asked for."""

    rows: tuple[DnsTypeRow, ...]


@dataclass(frozen=True, kw_only=True)
class DnsCodeRow:
    """How many answers had a response code, by its number (0 is NOERROR)."""

    scope: Index
    code: Annotated[int, Limit(high=15)]
    count: Count


@dataclass(frozen=True, kw_only=True)
class DnsCodes:
    """Answers by response code."""

    rows: tuple[DnsCodeRow, ...]


@dataclass(frozen=True, kw_only=True)
class ResolverRow:
    """A server that was asked. `buckets` is the histogram of its answers' durations, as in `Histogram`."""

    scope: Index
    address: Text
    port: Port
    lookups: Count
    answers: Count
    timeouts: Count
    sum_ns: Count
    max_ns: Count
    buckets: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class Resolvers:
    """Servers that were asked, as `Files`."""

    rows: tuple[ResolverRow, ...]


@dataclass(frozen=True, kw_only=True)
class AddressNameRow:
    """An address, and the name whose lookup gave it last."""

    scope: Index
    address: Text
    name: Text


@dataclass(frozen=True, kw_only=True)
class AddressNames:
    """Which name an address was found under. Not a counter: the newest row of an address holds."""

    rows: tuple[AddressNameRow, ...]
