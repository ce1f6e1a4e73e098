"""The records of what search domains and lookups of missing addresses cost."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, Index, Text


@dataclass(frozen=True, kw_only=True)
class DnsEmptyRow:
    """How many answers said that a name (by its `key` in `DnsNameRow`) exists, but has no IPv6 address."""

    scope: Index
    key: Count
    empty_aaaa: Count


@dataclass(frozen=True, kw_only=True)
class DnsEmpty:
    """Answers to AAAA without an address, by name."""

    rows: tuple[DnsEmptyRow, ...]


@dataclass(frozen=True, kw_only=True)
class ResolverSettingsRow:
    """What a container's /etc/resolv.conf says: search domains, parted by spaces, and `ndots` (1 if it is silent)."""

    scope: Index
    search: Text
    ndots: Count


@dataclass(frozen=True, kw_only=True)
class ResolverSettings:
    """The settings of containers that looked names up. Not a counter: the newest row of a scope holds."""

    rows: tuple[ResolverSettingsRow, ...]
