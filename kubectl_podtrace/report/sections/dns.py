"""The readable section of DNS."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_podtrace import units
from kubectl_podtrace.analysis.dns import Dns, DnsName, Resolver, errors_by_name
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import (
    LATENCY_COLUMNS,
    NONE,
    latency_cells,
    latency_table,
    listing,
    number_or_dash,
    tally,
    top_tally,
)
from kubectl_podtrace.wire.topics import DNS_TIMEOUT_NS


def dns(section: Dns, settings: Settings) -> Section:
    """Lookups, how they ended, how long answers took, who was asked, and for which names."""
    if not section.lookups and not section.answers:
        return Section(title="DNS", blocks=(), empty="no name was looked up")
    blocks: list[Block] = [_facts(section, settings)]
    if [resolver.latency.count for resolver in section.resolvers] != [section.latency.count]:
        # One resolver's line alone would say the same.
        blocks.extend(latency_table((("lookup", section.latency),)))
    if section.resolvers:
        blocks.append(_resolvers(section.resolvers))
    if section.top_names:
        blocks.append(_names(section.top_names))
    return Section(title="DNS", blocks=tuple(blocks))


def _facts(section: Dns, settings: Settings) -> Facts:
    limit = units.ratio_threshold(settings.error_threshold_ratio)
    errors = errors_by_name(section)
    pairs = [
        ("lookups", f"{units.count(section.lookups)} ({units.rate(section.per_s)})"),
        (
            f"errors (threshold {limit})",
            f"{units.count(section.errors)} ({units.ratio(section.error_ratio)})"
            + (f": {tally(errors)}" if errors else ""),
        ),
        ("answers", units.count(section.answers) + (f": {top_tally(section.rcodes)}" if section.rcodes else "")),
    ]
    if section.nxdomain_ratio:
        pairs.append(("NXDOMAIN", f"{units.ratio(section.nxdomain_ratio)} of the lookups"))
    if section.timeouts or section.retransmits:
        missing = f"{units.count(section.timeouts)} in {units.limit(DNS_TIMEOUT_NS)}"
        pairs.append(("no answer", f"{missing}; {units.counted(section.retransmits, 'query', 'queries')} sent again"))
    pairs.extend(_search(section))
    if section.query_types:
        pairs.append(("query types", top_tally(section.query_types)))
    return Facts(pairs=tuple(pairs))


def _search(section: Dns) -> tuple[tuple[str, str], ...]:
    """What search domains and lookups of missing IPv6 addresses cost, and what to change."""
    waste = section.search_waste
    if waste is None:
        return ()
    found = []
    if waste.wasted:
        ratio = "" if waste.per_useful is None else f" ({waste.per_useful:.2f} for each)"
        useful = units.counted(waste.useful, "useful answer")
        in_vain = f"{units.counted(waste.wasted, 'lookup')} in vain for {useful}{ratio}"
        found.append(("search domains", f"{in_vain}; ndots:{waste.ndots}: {waste.advice}"))
    if waste.empty_aaaa:
        found.append(("no IPv6 address", f"{units.counted(waste.empty_aaaa, 'answer')} to AAAA"))
    return tuple(found)


def _resolvers(entries: tuple[Resolver, ...]) -> Table:
    columns = (*right("lookups", "timeouts"), *LATENCY_COLUMNS, left("resolver"))
    return listing(columns, entries, "address", _resolver_row, _resolvers_together)


def _resolver_row(entry: Resolver) -> Row:
    return (
        units.count(entry.count),
        number_or_dash(entry.timeouts),
        *latency_cells(entry.latency),
        Name(endpoint(entry.address, entry.port)),
    )


def _resolvers_together(rest: Sequence[Resolver]) -> Row:
    count, timeouts = sum(entry.count for entry in rest), sum(entry.timeouts for entry in rest)
    return (units.count(count), number_or_dash(timeouts), *(NONE,) * len(LATENCY_COLUMNS), Name(OTHER))


def _names(entries: tuple[DnsName, ...]) -> Table:
    return listing((*right("lookups", "errors", "NXDOMAIN"), left("name")), entries, "name", _name_row, _names_together)


def _name_row(entry: DnsName) -> Row:
    return (units.count(entry.count), number_or_dash(entry.errors), number_or_dash(entry.nxdomain), Name(entry.name))


def _names_together(rest: Sequence[DnsName]) -> Row:
    count, errors = sum(entry.count for entry in rest), sum(entry.errors for entry in rest)
    nxdomain = sum(entry.nxdomain for entry in rest)
    return (units.count(count), number_or_dash(errors), number_or_dash(nxdomain), Name(OTHER))
