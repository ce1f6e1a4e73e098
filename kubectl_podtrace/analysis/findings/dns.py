"""Rules about DNS: time-outs, answers that are errors, resolvers that are slow, queries that are sent again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.dns import Dns, Resolver, errors_by_name
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.findings.evidence import (
    AT_LEAST,
    CRITICAL_RATIO,
    FEW,
    GRADED,
    graded,
    listed,
    share,
    worst,
)
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.selection import OTHER

TIMEOUT_RATIO: Final = 0.01
RETRY_RATIO: Final = 0.05
WASTED: Final = 100
WASTED_RATIO: Final = 0.5
SLOW_NS: Final = 100 * units.MILLISECOND_NS


def _timeouts(section: Dns, _: Observations) -> Iterator[Trouble]:
    if section.timeouts < AT_LEAST or section.timeouts <= TIMEOUT_RATIO * section.lookups:
        return
    # In a window, time-outs of earlier lookups can be more than its own lookups.
    of_all = share(min(section.timeouts, section.lookups), section.lookups) if section.lookups else "all"
    most = _most(section)
    silent = worst((each for each in section.resolvers if each.address != OTHER), lambda each: each.timeouts)
    whom = f", most by {_place(silent)}" if silent else ""
    yield Trouble(
        severity="critical" if section.timeouts >= CRITICAL_RATIO * section.lookups else "warning",
        title="DNS lookups time out",
        fact=f"{of_all}{whom}",
        evidence=f"{of_all} had no answer in 5 s{whom}{most}; {units.count(section.retransmits)} queries sent again",
        next_step="the resolver does not answer: check its pods, and NetworkPolicies for port 53 over UDP and TCP",
    )


def _errors(section: Dns, seen: Observations) -> Iterator[Trouble]:
    errors = {name: number for name, number in errors_by_name(section).items() if name != "timeouts"}
    failed, threshold = sum(errors.values()), seen.settings.error_threshold_ratio
    if failed < AT_LEAST or failed <= threshold * section.lookups:
        return
    kind, most = next(iter(errors)), _most(section)
    of_all = share(min(failed, section.lookups), section.lookups) if section.lookups else "all"
    yield Trouble(
        severity=graded(failed, section.lookups),
        title="DNS lookups fail",
        fact=f"{of_all}, most with {kind}{most}",
        evidence=f"{of_all} failed, threshold {units.ratio_threshold(threshold)}: {listed(errors)}{most}",
        next_step=_STEPS.get(kind, "look for these names in the resolver's log"),
    )


_STEPS: Final = {
    "SERVFAIL": "the resolver got no answer itself: look into its log, and check the servers that it forwards to",
    "REFUSED": "the resolver does not serve these names: check which one /etc/resolv.conf in the container names",
}


def _most(section: Dns) -> str:
    failing = worst((entry for entry in section.top_names if entry.name != OTHER), lambda entry: entry.errors)
    return f", most for {failing.name}" if failing else ""


def _place(resolver: Resolver) -> str:
    return endpoint(resolver.address, resolver.port)


def _slow(section: Dns, _: Observations) -> Iterator[Trouble]:
    for resolver in section.resolvers:
        latency = resolver.latency
        if resolver.address == OTHER or latency.count < FEW or latency.p95_ns <= SLOW_NS:
            continue
        numbers = f"p50 {units.duration(latency.p50_ns)}, p95 {units.duration(latency.p95_ns)}"
        yield Trouble(
            severity="warning",
            title="DNS is slow",
            fact=f"{_place(resolver)} takes {numbers}",
            evidence=f"{_place(resolver)} took longer than {units.threshold(SLOW_NS)} for more than 5 % of "
            f"{units.counted(latency.count, 'answer')}: {numbers}, max {units.duration(latency.max_ns)}",
            next_step="look at the resolver's load and at the servers that it forwards to; a cache near the pod "
            "(NodeLocal DNSCache) helps",
        )


def _retried(section: Dns, _: Observations) -> Iterator[Trouble]:
    if section.retransmits < FEW or section.retransmits <= RETRY_RATIO * section.lookups:
        return
    numbers = f"{units.count(section.retransmits)} queries again for {units.counted(section.lookups, 'lookup')}"
    yield Trouble(
        severity="warning",
        title="DNS queries are sent again",
        fact=numbers,
        evidence=f"{numbers}; each waited for the client's time-out first (5 s in most C libraries)",
        next_step="queries or answers get lost: check the resolver's load and conntrack on the node (conntrack -S)",
    )


def _with_search(seen: Observations) -> Dns | None:
    section = seen.sections.dns
    return section if section and section.search_waste else None


def _wasted(section: Dns, _: Observations) -> Iterator[Trouble]:
    waste = section.search_waste
    if waste is None or waste.wasted < WASTED or waste.wasted <= WASTED_RATIO * section.lookups:
        return
    numbers = f"{share(min(waste.wasted, section.lookups), section.lookups)} lookups"
    useful = f" for {units.counted(waste.useful, 'useful answer')}"
    yield Trouble(
        severity="info",
        title="search domains waste lookups",
        fact=f"{numbers}{useful}",
        evidence=f"{numbers} asked for names that do not exist{useful}, with ndots:{waste.ndots} and "
        f"{units.counted(len(waste.search), 'search domain')}",
        next_step=waste.advice or "end the names with a dot, or lower ndots (dnsConfig of the pod)",
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="dns-timeouts",
        looks_for="DNS time-outs",
        section=lambda seen: seen.sections.dns,
        check=_timeouts,
        topics=("dns",),
        raised=f"at least {AT_LEAST} lookups, and more than {units.ratio_threshold(TIMEOUT_RATIO)}, have no answer in "
        "5 s",
        severity=f"critical from {units.ratio_threshold(CRITICAL_RATIO)} on; else warning",
        next_step="check the resolver's pods, and NetworkPolicies for port 53 over UDP and TCP",
    ),
    Rule(
        slug="dns-errors",
        looks_for="DNS errors",
        section=lambda seen: seen.sections.dns,
        check=_errors,
        topics=("dns",),
        raised=f"more than `--error-threshold` of the lookups, and at least {AT_LEAST}, are answered with SERVFAIL, "
        "REFUSED, FORMERR or NOTIMP (NXDOMAIN is no error)",
        severity=GRADED,
        next_step="by code: the resolver's log, the servers that it forwards to, /etc/resolv.conf in the container",
    ),
    Rule(
        slug="dns-slow",
        looks_for="slow resolvers",
        section=lambda seen: seen.sections.dns,
        check=_slow,
        topics=("dns",),
        explained_by=frozenset({"dns-timeouts"}),
        raised=f"more than 5 % of at least {FEW} answers of one resolver take longer than {units.threshold(SLOW_NS)}",
        severity="warning",
        next_step="look at the resolver's load and forwarders; a cache near the pod helps",
    ),
    Rule(
        slug="dns-retries",
        looks_for="DNS retries",
        section=lambda seen: seen.sections.dns,
        check=_retried,
        topics=("dns",),
        explained_by=frozenset({"dns-timeouts", "dns-slow"}),
        raised=f"at least {FEW} queries are sent again, and more than {units.ratio_threshold(RETRY_RATIO)} of the "
        "lookups",
        severity="warning",
        next_step="check the resolver's load and the node's conntrack table",
    ),
    Rule(
        slug="dns-search-waste",
        looks_for="wasted lookups",
        section=_with_search,
        check=_wasted,
        topics=("dns",),
        raised=f"at least {WASTED} lookups, and more than {units.ratio_threshold(WASTED_RATIO)}, are search domains "
        "tried in vain (`search_waste`)",
        severity="info",
        next_step="the line of resolv.conf (dnsConfig of the pod) to change, or names that end with a dot",
    ),
)
