"""Rules about TCP: errors, connections that break, segments sent again, round trips that spike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.connections import Connections
from kubectl_podtrace.analysis.findings import failures
from kubectl_podtrace.analysis.findings.evidence import AT_LEAST, FEW, GRADED, graded, listed, share
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.tcp import Tcp

SPIKE_RATIO: Final = 0.05
RETRANSMIT_RATIO: Final = 0.01
SEGMENT_BYTES: Final = 1_448
"""What a segment carries at most on most networks."""
BROKEN: Final[tuple[str, ...]] = ("ECONNRESET", "EPIPE")


def _errors(section: Tcp, seen: Observations) -> Iterator[Trouble]:
    for name, operation in (("TCP sends", section.send), ("TCP receives", section.receive)):
        yield from failures.failing(name, operation, seen.settings.error_threshold_ratio)


def _broken(section: Tcp, seen: Observations) -> Iterator[Trouble]:
    connections = seen.sections.connections
    if connections is None:
        return
    errors = {
        name: section.send.errors.get(name, 0) + section.receive.errors.get(name, 0)
        for name in BROKEN
        if name in section.send.errors or name in section.receive.errors
    }
    broken, whole = sum(errors.values()), _connections(connections)
    if broken < FEW or broken <= seen.settings.error_threshold_ratio * whole:
        return
    limit = units.ratio_threshold(seen.settings.error_threshold_ratio)
    numbers = f"{units.counted(broken, 'operation')} on {units.counted(whole, 'connection')}"
    yield Trouble(
        severity="warning",
        title="connections break",
        fact=f"{numbers}: {listed(errors)}",
        evidence=f"{numbers} failed because the peer had gone, threshold {limit}: {listed(errors)}; "
        f"{units.count(section.resets_received)} resets received, {units.count(section.resets_sent)} sent",
        next_step="the other side closed: check its log, idle timeout and restarts, and load balancers in between",
    )


def _connections(section: Connections) -> int:
    existing = section.existing.states.get("ESTABLISHED", 0) if section.existing else 0
    return section.latency.count + section.accepted + existing


def _retransmits(section: Tcp, _: Observations) -> Iterator[Trouble]:
    segments = max(section.send.count, section.send.bytes // SEGMENT_BYTES)
    if section.retransmits < FEW or section.retransmits <= RETRANSMIT_RATIO * segments:
        return
    rtt = f"; RTT p50 {units.duration(section.rtt.p50_ns)}, p99 {units.duration(section.rtt.p99_ns)}"
    numbers = f"{units.count(section.retransmits)} of about {units.counted(segments, 'segment')}"
    ratio = f" ({units.ratio(section.retransmits / segments)})" if segments >= section.retransmits else ""
    yield Trouble(
        severity="warning",
        title="segments are sent again",
        fact=numbers + ratio,
        evidence=f"{numbers}{ratio}, usual is less than {units.ratio_threshold(RETRANSMIT_RATIO)}"
        f"{rtt if section.rtt.count else ''}",
        next_step="packets are lost on the way: check the node's interface (ip -s link), its network plugin and MTU, "
        "bandwidth limits, and the peer's node",
    )


def _spikes(section: Tcp, _: Observations) -> Iterator[Trouble]:
    rtt = section.rtt
    if rtt.spikes < AT_LEAST or rtt.spikes <= SPIKE_RATIO * rtt.count:
        return
    of_all = f"{share(rtt.spikes, rtt.count)}"
    yield Trouble(
        severity=graded(rtt.spikes, rtt.count),
        title="round-trip times spike",
        fact=f"{of_all} above {units.threshold(rtt.threshold_ns)}",
        evidence=f"{of_all} samples above {units.threshold(rtt.threshold_ns)}: p50 {units.duration(rtt.p50_ns)}, "
        f"p99 {units.duration(rtt.p99_ns)}, max {units.duration(rtt.max_ns)}",
        next_step="compare retransmits: many mean packet loss, few a far or busy peer",
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="tcp-errors",
        looks_for="TCP errors",
        section=lambda seen: seen.sections.tcp,
        check=_errors,
        topics=("tcp",),
        raised=failures.RAISED,
        severity=GRADED,
        next_step="by error: check the peer's log and idle timeout, or what the program's log says of it",
    ),
    Rule(
        slug="connections-broken",
        looks_for="broken connections",
        section=lambda seen: seen.sections.tcp,
        check=_broken,
        topics=("tcp", "connections"),
        explained_by=frozenset({"tcp-errors"}),
        raised=f"sends and receives that fail with {' or '.join(f'`{name}`' for name in BROKEN)} are at least {FEW}, "
        "and more than `--error-threshold` of the connections (established, accepted, and there before)",
        severity="warning",
        next_step="check the peer's log, idle timeout and restarts, and load balancers in between",
    ),
    Rule(
        slug="retransmits",
        looks_for="retransmits",
        section=lambda seen: seen.sections.tcp,
        check=_retransmits,
        topics=("tcp",),
        tracepoints=frozenset({"tcp_retransmit_skb"}),
        explained_by=frozenset({"connections-failed"}),
        raised=f"at least {FEW} segments are sent again, and more than {units.ratio_threshold(RETRANSMIT_RATIO)} of "
        f"the sends (or of the bytes sent, in segments of {units.count(SEGMENT_BYTES)})",
        severity="warning",
        next_step="check the node's interface, network plugin, MTU and bandwidth limits, and those of the peer",
    ),
    Rule(
        slug="rtt-spikes",
        looks_for="RTT spikes",
        section=lambda seen: seen.sections.tcp,
        check=_spikes,
        topics=("tcp",),
        raised=f"more than {units.ratio_threshold(SPIKE_RATIO)} of the round-trip samples, and at least {AT_LEAST}, "
        "are above `--rtt-threshold`",
        severity=GRADED,
        next_step="compare retransmits: many mean packet loss, few a far or busy peer",
    ),
)
