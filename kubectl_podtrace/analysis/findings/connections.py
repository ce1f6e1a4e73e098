"""Rules about connections: those that fail, and those that take long to open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.connections import Connections
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.findings.evidence import (
    AT_LEAST,
    FEW,
    GRADED,
    graded,
    listed,
    share,
    share_of_time,
    worst,
)
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.selection import OTHER

ONE_SHOTS: Final = 50
HANDSHAKES_NS: Final = 100 * units.MILLISECOND_NS
HANDSHAKES_RATIO: Final = 0.01
MANY_HANDSHAKES_RATIO: Final = 0.1


def _failed(section: Connections, seen: Observations) -> Iterator[Trouble]:
    failed = section.failed - _made_good(section)
    if failed <= seen.settings.error_threshold_ratio * section.total:
        return
    if failed < AT_LEAST and failed < section.total:
        return
    failing = worst((target for target in section.top_targets if target.address != OTHER), lambda target: target.failed)
    peer = address = ""
    if failing:
        peer = endpoint(failing.name or failing.address, failing.port)
        address = f" ({failing.address})" if failing.name else ""
    most = f", most to {peer}" if peer else ""
    of_all, limit = share(failed, section.total), units.ratio_threshold(seen.settings.error_threshold_ratio)
    yield Trouble(
        severity=graded(failed, section.total),
        title="connections fail",
        fact=f"{of_all}{most}",
        evidence=f"{of_all} failed, threshold {limit}: {listed(section.errors)}{most}{address}",
        next_step=_step(next(iter(section.errors), ""), peer or "the remote side"),
    )


def _made_good(section: Connections) -> int:
    """Attempts over one version of IP whose program then came through to the same port over the other one."""
    failed: dict[tuple[int, bool], int] = {}
    came_through: dict[tuple[int, bool], int] = {}
    for target in section.top_targets:
        key = (target.port, ":" in target.address)
        failed[key] = failed.get(key, 0) + target.failed
        came_through[key] = came_through.get(key, 0) + target.count - target.failed
    return sum(min(number, came_through.get((port, not is_v6), 0)) for (port, is_v6), number in failed.items())


def _step(error: str, peer: str) -> str:
    match error:
        case "ECONNREFUSED":
            return f"nothing listens on {peer}: check the service behind it"
        case "ETIMEDOUT" | "EHOSTUNREACH" | "ENETUNREACH":
            return f"no way to {peer}: check NetworkPolicies, firewalls, routes"
        case "EADDRNOTAVAIL":
            return "local ports ran out: reuse connections (keep-alive, a pool)"
        case "ABORTED":
            return f"the program gave up on {peer}: compare its connect timeout with the latency"
        case _:
            return f"look for {error or 'the error'} and {peer} in the program's log"


def _slow(section: Connections, seen: Observations) -> Iterator[Trouble]:
    latency, limit = section.latency, seen.settings.rtt_threshold_ns
    if latency.count < FEW or latency.p95_ns <= limit:
        return
    slow = "half" if latency.p50_ns > limit else "more than 5 %"
    busiest = next((target for target in section.top_targets if target.address != OTHER), None)
    to = f", most connections to {endpoint(busiest.name or busiest.address, busiest.port)}" if busiest else ""
    numbers = f"p50 {units.duration(latency.p50_ns)}, p95 {units.duration(latency.p95_ns)}"
    yield Trouble(
        severity="warning",
        title="handshakes are slow",
        fact=f"p95 of {units.count(latency.count)}: {units.duration(latency.p95_ns)}",
        evidence=f"{slow} of {units.count(latency.count)} took longer than {units.threshold(limit)}: "
        f"{numbers}, max {units.duration(latency.max_ns)}{to}",
        next_step="a second or more: SYNs are lost, on the way or at a peer whose accept queue is full; less: it is "
        "far away, so keep connections open",
    )


def _with_exchanges(seen: Observations) -> Connections | None:
    section = seen.sections.connections
    return section if section and section.one_shot is not None else None


def _one_shot(section: Connections, seen: Observations) -> Iterator[Trouble]:
    target = worst(section.one_shot or (), lambda target: target.handshake_total_ns)
    if target is None or target.connections < ONE_SHOTS or target.handshake_total_ns < HANDSHAKES_NS:
        return
    ratio = share_of_time(target.handshake_total_ns, seen.duration_s)
    if ratio <= HANDSHAKES_RATIO:
        return
    peer = endpoint(target.name or target.address, target.port)
    numbers = f"{units.counted(target.connections, 'connection')} to {peer} carried one request each"
    took = units.duration(target.handshake_total_ns)
    yield Trouble(
        severity="warning" if ratio >= MANY_HANDSHAKES_RATIO else "info",
        title="connections are not reused",
        fact=numbers,
        evidence=f"{numbers}; their handshakes took {took} in all ({units.ratio(min(ratio, 1.0))} of the time)",
        next_step="keep connections open (keep-alive, a pool): each request then saves a handshake",
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="connections-failed",
        looks_for="failed connections",
        section=lambda seen: seen.sections.connections,
        check=_failed,
        topics=("connections",),
        raised=f"more than `--error-threshold` of the attempts fail, and at least {AT_LEAST} or all of them; what "
        "failed over IPv6 and then worked over IPv4 (or the other way) does not count",
        severity=GRADED,
        next_step="by error: check the service behind the port, NetworkPolicies and routes, the pool of connections",
    ),
    Rule(
        slug="handshakes-slow",
        looks_for="slow handshakes",
        section=lambda seen: seen.sections.connections,
        check=_slow,
        topics=("connections",),
        explained_by=frozenset({"rtt-spikes", "retransmits"}),
        raised=f"more than 5 % of at least {FEW} handshakes take longer than `--rtt-threshold`",
        severity="warning",
        next_step="look for lost SYNs and full accept queues (1 s and more); keep connections to far peers open",
    ),
    Rule(
        slug="connections-one-shot",
        looks_for="connections for one request",
        section=_with_exchanges,
        check=_one_shot,
        topics=("connections",),
        raised=f"at least {ONE_SHOTS} connections to a target carry one request each, and their handshakes take "
        f"{units.threshold(HANDSHAKES_NS)} and more than {units.ratio_threshold(HANDSHAKES_RATIO)} of the time",
        severity=f"warning from {units.ratio_threshold(MANY_HANDSHAKES_RATIO)} of the time on; else info",
        next_step="keep connections open (keep-alive, a pool)",
    ),
)
