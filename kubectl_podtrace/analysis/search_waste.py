"""Names that are looked up in vain because search domains are tried, and what to write instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.analysis.selection import LISTED, Selection
from kubectl_podtrace.wire.dns_records import DnsNameRow, DnsNames
from kubectl_podtrace.wire.search_records import DnsEmpty, ResolverSettings, ResolverSettingsRow

_LEAST_DOTS: Final = 1


@dataclass(frozen=True, kw_only=True)
class WastedName:
    """A name as its program gave it, and the NXDOMAIN answers to it with search domains behind it."""

    name: str
    wasted: int


@dataclass(frozen=True, kw_only=True)
class SearchWaste:
    """What search domains cost. `useful` are answers with something in them, `wasted` NXDOMAIN answers of the search.

    `per_useful` is their ratio (null without useful ones), `empty_aaaa` are answers that there is no IPv6 address, to
    the second lookup of each name. `search` and `ndots` are those of the container's /etc/resolv.conf with the highest
    `ndots`; `advice` is what to change there or in the program, null where nothing was wasted.
    """

    useful: int
    wasted: int
    per_useful: float | None
    empty_aaaa: int
    search: tuple[str, ...]
    ndots: int
    names: tuple[WastedName, ...]
    advice: str | None


def search_waste(selection: Selection) -> SearchWaste | None:
    """What was wasted; None where no container's search domains are known."""
    settings: tuple[ResolverSettingsRow, ...] = selection.rows(ResolverSettings)
    if not settings:
        return None
    empty = {(row.scope, row.key): row.empty_aaaa for row in selection.rows(DnsEmpty)}
    rows: tuple[DnsNameRow, ...] = selection.rows(DnsNames)
    useful = {(row.scope, row.name): _useful(row, empty.get((row.scope, row.key), 0)) for row in rows}
    wasted, full_names = Counter[str](), dict[str, str]()
    for each in settings:
        search = tuple(sorted(each.search.split(), key=len, reverse=True))
        found = {row.name: row.nxdomain for row in rows if row.scope == each.scope}
        useful_here = {name: useful[each.scope, name] for name in found}
        for name, nxdomain in found.items():
            base = _base(name, search, found) if nxdomain else None
            if base is not None:
                wasted[base] += nxdomain
                full_names.setdefault(base, _best(base, search, useful_here))
    widest = max(settings, key=lambda row: (row.ndots, row.search))
    total = sum(useful.values())
    return SearchWaste(
        useful=total,
        wasted=wasted.total(),
        per_useful=wasted.total() / total if total else None,
        empty_aaaa=sum(empty.values()),
        search=tuple(widest.search.split()),
        ndots=widest.ndots,
        names=tuple(WastedName(name=name, wasted=count) for name, count in _in_order(wasted))[:LISTED],
        advice=_advice(_in_order(wasted), full_names, widest.ndots),
    )


def _in_order(wasted: Counter[str]) -> list[tuple[str, int]]:
    return sorted(wasted.items(), key=lambda item: (-item[1], item[0]))


def _useful(row: DnsNameRow, empty: int) -> int:
    return max(row.answers - row.errors - row.nxdomain - empty, 0)


def _base(name: str, search: Iterable[str], names: Mapping[str, int]) -> str | None:
    """The name before a search domain, if it was also tried as it is or with another one."""
    for domain in search:
        if not name.endswith(f".{domain}"):
            continue
        base = name[: -len(domain) - 1]
        if base in names or any(f"{base}.{other}" in names for other in search if other != domain):
            return base
    return None


def _best(base: str, search: Iterable[str], useful: Mapping[str, int]) -> str:
    """Under which full name it was found; the name itself where it was not found at all."""
    candidates = (base, *(f"{base}.{domain}" for domain in search))
    return max(candidates, key=lambda name: useful.get(name, 0))


def _advice(wasted: list[tuple[str, int]], full_names: Mapping[str, str], ndots: int) -> str | None:
    """Fewer dots help the names that are found as they are; the others should be written in full."""
    if not wasted:
        return None
    outside = [name for name, _ in wasted if full_names[name] == name]
    first = wasted[0][0]
    if first not in outside:
        return f'write names in full, with a dot at the end: "{full_names[first]}."'
    dots = max(min(name.count(".") for name in outside), _LEAST_DOTS)
    if dots < ndots and first.count(".") >= dots:
        return (
            f'set "options ndots:{dots}" in resolv.conf (dnsConfig of the pod), or write "{first}." with its last dot'
        )
    return f'write "{first}." with a dot at the end'
