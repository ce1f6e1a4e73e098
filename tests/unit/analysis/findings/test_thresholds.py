"""Every rule, on both sides of its thresholds: what is just below is silent, what is just above raises it alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import pytest

from kubectl_podtrace.analysis.findings.observations import CommandEnd, Observations
from kubectl_podtrace.analysis.findings.registry import RULES, diagnose
from kubectl_podtrace.analysis.pod_timeline import Incident
from kubectl_podtrace.analysis.processes import Exit
from kubectl_podtrace.analysis.trust import Bypass
from kubectl_podtrace.units import MILLISECOND_NS, SECOND_NS
from tests.unit.analysis.findings import seen
from tests.unit.analysis.findings.seen import CALM, NOON, TCP, dist, ended, file_op, found, op

IPV6: Final = replace(seen.SHOP, address="fd00::7", count=300, failed=300)


@dataclass(frozen=True)
class Edge:
    """Two things that differ by as little as a rule can tell apart."""

    rule: str
    below: Observations
    above: Observations


def slow_fsyncs(slow: int, *, count: int = 1_000, each_ns: int = MILLISECOND_NS, max_ns: int = 0) -> Observations:
    return seen.with_files(fsync=file_op(count, slow=slow, each_ns=each_ns, max_ns=max_ns or 11 * MILLISECOND_NS))


def probe_failure() -> Incident:
    return Incident(at=NOON, kind="probe_failure", container="api", text="timeout", count=2)


def back_off() -> Incident:
    return Incident(at=NOON, kind="warning", container="api", reason="BackOff")


def bypass(count: int) -> Observations:
    bypassed = Bypass(operation="io_uring.transfer", what="reads through io_uring", topics=("files",), count=count)
    return replace(seen.with_trust(bypassed=(bypassed,)), sections=replace(CALM.sections, files=None))


def command(status: int) -> Observations:
    return replace(CALM, command=CommandEnd(words=("serve", "a b"), status=status))


def exits(code: int, signal: int, count: int) -> Observations:
    return seen.with_exits(Exit(comm="worker", code=code, signal=signal, count=count))


EDGES: Final = (
    Edge("connections-failed", seen.with_failures(100), seen.with_failures(101)),
    Edge("connections-failed", seen.with_failures(2, total=3), seen.with_failures(3, total=4)),
    Edge("connections-failed", seen.with_failures(2, total=3), seen.with_failures(2, total=2)),
    Edge("connections-failed", seen.with_failures(2, total=3), seen.with_failures(1, total=1)),
    Edge(
        "connections-failed",
        seen.with_connections(failed=300, errors={"ENETUNREACH": 300}, top_targets=(seen.SHOP, IPV6)),
        seen.with_connections(
            failed=300, errors={"ENETUNREACH": 300}, top_targets=(replace(seen.SHOP, count=199), IPV6)
        ),
    ),
    Edge(
        "handshakes-slow",
        seen.with_connections(latency=dist(1_000, p95_ns=100 * MILLISECOND_NS)),
        seen.with_connections(latency=dist(1_000, p95_ns=100 * MILLISECOND_NS + 1)),
    ),
    Edge(
        "handshakes-slow",
        seen.with_connections(latency=dist(9, SECOND_NS)),
        seen.with_connections(latency=dist(10, SECOND_NS)),
    ),
    Edge(
        "tcp-errors",
        seen.with_tcp(receive=op(1_000, {"ETIMEDOUT": 100})),
        seen.with_tcp(receive=op(1_000, {"ETIMEDOUT": 101})),
    ),
    Edge("tcp-errors", seen.with_tcp(send=op(4, {"EPIPE": 2})), seen.with_tcp(send=op(4, {"EPIPE": 3}))),
    Edge(
        "connections-broken",
        seen.with_tcp(send=op(10**6, {"EPIPE": 100})),
        seen.with_tcp(send=op(10**6, {"EPIPE": 100}), receive=op(10**6, {"ECONNRESET": 1})),
    ),
    Edge("retransmits", seen.with_tcp(retransmits=10), seen.with_tcp(retransmits=11)),
    Edge(
        "retransmits",
        seen.with_tcp(retransmits=100, send=op(3, bytes_=1_448 * 10_000)),
        seen.with_tcp(retransmits=101, send=op(3, bytes_=1_448 * 10_000)),
    ),
    Edge(
        "retransmits",
        seen.with_tcp(retransmits=9, send=op(3)),
        seen.with_tcp(retransmits=10, send=op(3)),
    ),
    Edge("rtt-spikes", seen.with_rtt(spikes=50), seen.with_rtt(spikes=51)),
    Edge("rtt-spikes", seen.with_rtt(spikes=2, count=4), seen.with_rtt(spikes=3, count=4)),
    Edge(
        "udp-errors",
        seen.with_udp(send=op(50, {"ECONNREFUSED": 5, "EMSGSIZE": 30})),
        seen.with_udp(send=op(50, {"ECONNREFUSED": 6})),
    ),
    Edge("udp-drops", seen.with_udp(drops=9, receive=op(1)), seen.with_udp(drops=10, receive=op(1))),
    Edge("udp-drops", seen.with_udp(drops=10, receive=op(990)), seen.with_udp(drops=10, receive=op(989))),
    Edge("dns-timeouts", seen.with_dns(timeouts=10), seen.with_dns(timeouts=11)),
    Edge("dns-timeouts", seen.with_dns(timeouts=2, lookups=2), seen.with_dns(timeouts=3, lookups=3)),
    Edge("dns-errors", seen.with_codes(SERVFAIL=60, REFUSED=40, NXDOMAIN=0), seen.with_codes(SERVFAIL=61, REFUSED=40)),
    Edge(
        "dns-slow",
        seen.with_dns(resolvers=(replace(seen.RESOLVER, latency=dist(10, p95_ns=100 * MILLISECOND_NS)),)),
        seen.with_dns(resolvers=(replace(seen.RESOLVER, latency=dist(10, p95_ns=100 * MILLISECOND_NS + 1)),)),
    ),
    Edge(
        "dns-slow",
        seen.with_dns(resolvers=(replace(seen.RESOLVER, latency=dist(9, SECOND_NS)),)),
        seen.with_dns(resolvers=(replace(seen.RESOLVER, latency=dist(10, SECOND_NS)),)),
    ),
    Edge("dns-retries", seen.with_dns(retransmits=50), seen.with_dns(retransmits=51)),
    Edge("dns-retries", seen.with_dns(retransmits=9, lookups=9), seen.with_dns(retransmits=10, lookups=9)),
    Edge(
        "file-errors",
        seen.with_files(write=file_op(1_000, {"EACCES": 100, "EXDEV": 900})),
        seen.with_files(write=file_op(1_000, {"EACCES": 101})),
    ),
    Edge(
        "file-errors",
        seen.with_files(open=op(1_000, {"ENOENT": 900, "EEXIST": 90, "EACCES": 2})),
        seen.with_files(open=op(10, {"EACCES": 3})),
    ),
    Edge(
        "storage-failed",
        seen.with_files(write=file_op(1_000, {"EFBIG": 1})),
        seen.with_files(write=file_op(1_000, {"ENOSPC": 1})),
    ),
    Edge("slow-files", slow_fsyncs(10), slow_fsyncs(11)),
    Edge(
        "slow-files", slow_fsyncs(2, count=3, each_ns=SECOND_NS // 2), slow_fsyncs(3, count=3, each_ns=SECOND_NS // 2)
    ),
    Edge("slow-files", slow_fsyncs(900, each_ns=300_000), slow_fsyncs(900, each_ns=300_001)),
    Edge(
        "slow-files",
        slow_fsyncs(1, each_ns=1_000, max_ns=SECOND_NS - 1),
        slow_fsyncs(1, each_ns=1_000, max_ns=SECOND_NS),
    ),
    Edge(
        "cpu-throttled",
        seen.with_throttling(throttled=15, total_ns=SECOND_NS),
        seen.with_throttling(throttled=16, total_ns=SECOND_NS),
    ),
    Edge(
        "cpu-throttled",
        seen.with_throttling(throttled=4, total_ns=SECOND_NS, periods=10),
        seen.with_throttling(throttled=5, total_ns=SECOND_NS, periods=10),
    ),
    Edge(
        "cpu-throttled",
        seen.with_throttling(throttled=100, total_ns=300 * MILLISECOND_NS),
        seen.with_throttling(throttled=100, total_ns=300 * MILLISECOND_NS + 1),
    ),
    Edge(
        "cpu-starved",
        seen.with_cpu(waits=1_000, each_ns=15 * MILLISECOND_NS),
        seen.with_cpu(waits=1_000, each_ns=15 * MILLISECOND_NS + 1),
    ),
    Edge(
        "cpu-starved",
        seen.with_cpu(waits=1_000, each_ns=6 * MILLISECOND_NS - 1, total_ratio=0.01),
        seen.with_cpu(waits=1_000, each_ns=6 * MILLISECOND_NS, total_ratio=0.01),
    ),
    Edge(
        "cpu-starved",
        replace(seen.with_cpu(waits=1_000, each_ns=5 * MILLISECOND_NS - 1, total_ratio=0.01, switches=1_000)),
        replace(seen.with_cpu(waits=1_000, each_ns=5 * MILLISECOND_NS, total_ratio=0.01, switches=1_000)),
    ),
    Edge("cpu-starved", seen.with_cpu(waits=99, each_ns=SECOND_NS), seen.with_cpu(waits=100, each_ns=SECOND_NS)),
    Edge(
        "cpu-saturated",
        seen.with_cpu(waits=1_000, each_ns=108 * MILLISECOND_NS, total_ratio=3.6),
        seen.with_cpu(waits=1_000, each_ns=108 * MILLISECOND_NS + 1, total_ratio=3.6),
    ),
    Edge("command-failed", command(0), command(3)),
    Edge(
        "command-failed",
        replace(CALM, command=CommandEnd(words=("/usr/bin/grep", "x"), status=1)),
        replace(CALM, command=CommandEnd(words=("/usr/bin/grep", "x"), status=2)),
    ),
    Edge("command-failed", replace(command(-15), command=None), command(-15)),
    Edge("processes-crashed", exits(0, 15, 100), exits(0, 11, 1)),
    Edge("processes-killed", exits(0, 13, 100), exits(0, 9, 1)),
    Edge("processes-failed", seen.with_loop(kind="container"), seen.with_loop()),
    Edge("processes-failed", seen.with_loop(signal=9), seen.with_loop(code=127)),
    Edge("lock-contention", seen.with_hotspot(kind="other"), seen.with_hotspot()),
    Edge("lock-contention", seen.with_hotspot(waits=9), seen.with_hotspot(waits=10)),
    Edge(
        "lock-contention",
        seen.with_hotspot(total_wait_ns=6 * SECOND_NS),
        seen.with_hotspot(total_wait_ns=6 * SECOND_NS + 1),
    ),
    Edge(
        "lock-contention",
        replace(seen.with_hotspot(total_wait_ns=2 * SECOND_NS - 1), duration_s=5.0),
        replace(seen.with_hotspot(total_wait_ns=2 * SECOND_NS), duration_s=5.0),
    ),
    Edge("memory-near-limit", seen.with_memory(899 << 20, 1_000 << 20), seen.with_memory(900 << 20, 1_000 << 20)),
    Edge("memory-near-limit", seen.with_memory(1 << 40, None), seen.with_memory(1_000 << 20, 1_000 << 20)),
    Edge(
        "query-errors",
        seen.but(queries=(seen.QUERY, replace(seen.QUERY, count=500, errors=150))),
        seen.but(queries=(seen.QUERY, replace(seen.QUERY, count=500, errors=151))),
    ),
    Edge(
        "query-errors",
        seen.but(queries=(replace(seen.QUERY, count=2, errors=2),)),
        seen.but(queries=(replace(seen.QUERY, count=3, errors=3),)),
    ),
    Edge(
        "queries-slow",
        seen.but(queries=(replace(seen.QUERY, latency=dist(1_000, p95_ns=SECOND_NS)),)),
        seen.but(queries=(replace(seen.QUERY, latency=dist(1_000, p95_ns=SECOND_NS + 1)),)),
    ),
    Edge(
        "queries-slow",
        seen.but(queries=(replace(seen.QUERY, latency=dist(2, 2 * SECOND_NS)),)),
        seen.but(queries=(replace(seen.QUERY, latency=dist(3, 2 * SECOND_NS)),)),
    ),
    Edge("dns-search-waste", seen.with_waste(500), seen.with_waste(501)),
    Edge(
        "dns-search-waste",
        replace(seen.with_waste(99), sections=replace(seen.with_waste(99).sections, cpu=None)),
        seen.with_waste(1_000),
    ),
    Edge("connections-one-shot", seen.with_one_shots(49, SECOND_NS), seen.with_one_shots(50, SECOND_NS)),
    Edge(
        "connections-one-shot",
        seen.with_one_shots(50, 300 * MILLISECOND_NS),
        seen.with_one_shots(50, 300 * MILLISECOND_NS + 1),
    ),
    Edge(
        "connections-one-shot",
        replace(seen.with_one_shots(50, 100 * MILLISECOND_NS - 1), duration_s=1.0),
        seen.with_one_shots(50, 4 * SECOND_NS),
    ),
    Edge("processes-oom-killed", seen.with_oom_kills(0), seen.with_oom_kills(1)),
    Edge(
        "processes-killed",
        seen.with_oom_kills(3, Exit(comm="greedy", code=0, signal=9, count=3)),
        seen.with_exits(Exit(comm="greedy", code=0, signal=9, count=3)),
    ),
    Edge(
        "descriptors-exhausted",
        seen.with_connections(accept_errors={"ECONNABORTED": 5}),
        seen.with_connections(accept_errors={"EMFILE": 1}),
    ),
    Edge(
        "descriptors-exhausted",
        seen.with_files(open=op(10**6, {"ENOENT": 9})),
        seen.with_files(open=op(10**6, {"EMFILE": 1})),
    ),
    Edge("descriptor-leak", seen.with_leak(9, 3_601.0), seen.with_leak(10, 3_601.0)),
    Edge("descriptor-leak", seen.with_leak(9, 3_601.0), seen.with_leak(9, 3_600.0)),
    Edge("descriptors-near-limit", seen.with_table(799, 1_000), seen.with_table(800, 1_000)),
    Edge("pod-evicted", CALM, seen.with_incidents(Incident(at=NOON, kind="eviction", reason="Evicted", text="disk"))),
    Edge(
        "container-oom-killed",
        seen.with_incidents(ended(0, reason="Completed")),
        seen.with_incidents(ended(137, kind="oom_kill", reason="OOMKilled")),
    ),
    Edge("container-failed", seen.with_incidents(ended(0)), seen.with_incidents(ended(1))),
    Edge(
        "container-failed",
        seen.with_incidents(Incident(at=NOON, kind="deletion"), ended(143)),
        seen.with_incidents(ended(143)),
    ),
    Edge("crash-loop", seen.with_incidents(back_off()), seen.with_incidents(ended(1), ended(1))),
    Edge("crash-loop", seen.with_incidents(ended(0), back_off()), seen.with_incidents(ended(1), back_off())),
    Edge("probe-failed", CALM, seen.with_incidents(probe_failure())),
    Edge("no-events", seen.with_activity(events=1), seen.with_activity()),
    Edge("no-events", seen.with_activity(ran=True), seen.with_activity(seen=False)),
    Edge("no-events", replace(seen.with_activity(), is_running=True), seen.with_activity(answered=False)),
    Edge("trace-incomplete", seen.with_trust(lost=60, dropped=41), seen.with_trust(lost=61, dropped=41)),
    Edge(
        "trace-incomplete",
        replace(seen.with_trust(truncated=True, complete=False, notes=("cut",)), is_running=True),
        seen.with_trust(truncated=True, complete=False, notes=("cut",)),
    ),
    Edge("io-uring", bypass(101), bypass(102)),
)


@pytest.mark.parametrize("edge", EDGES, ids=[f"{number}-{edge.rule}" for number, edge in enumerate(EDGES)])
def test_a_rule_is_silent_below_its_threshold_and_alone_above_it(edge: Edge) -> None:
    assert edge.rule not in found(edge.below)
    assert found(edge.above) == [edge.rule]


def test_every_rule_has_both_its_sides_tested() -> None:
    assert {edge.rule for edge in EDGES} == {rule.slug for rule in RULES}


def test_a_calm_target_has_no_findings_and_every_rule_looked() -> None:
    diagnosis = diagnose(CALM)
    assert diagnosis.findings == ()
    assert diagnosis.applied == RULES


def test_rules_have_names_of_their_own_and_explain_each_other_by_names_that_exist() -> None:
    slugs = [rule.slug for rule in RULES]
    assert len(set(slugs)) == len(slugs)
    assert {slug for rule in RULES for slug in rule.explained_by} <= set(slugs)
    assert [
        rule.slug for rule in RULES if not (rule.looks_for and rule.raised and rule.severity and rule.next_step)
    ] == []


THRESHOLD_CASES: Final[tuple[tuple[str, Callable[[float], Observations]], ...]] = (
    ("connections-failed", lambda ratio: _with_error_ratio(seen.with_failures(26), ratio)),
    ("tcp-errors", lambda ratio: _with_error_ratio(seen.with_tcp(send=op(1_000, {"EPIPE": 26})), ratio)),
    ("query-errors", lambda ratio: _with_error_ratio(seen.but(queries=(replace(seen.QUERY, errors=26),)), ratio)),
    ("dns-errors", lambda ratio: _with_error_ratio(seen.with_codes(SERVFAIL=26), ratio)),
    ("file-errors", lambda ratio: _with_error_ratio(seen.with_files(read=file_op(1_000, {"EIO": 26})), ratio)),
)


def _with_error_ratio(observations: Observations, ratio: float) -> Observations:
    return replace(observations, settings=replace(observations.settings, error_threshold_ratio=ratio))


@pytest.mark.parametrize(("rule", "make"), THRESHOLD_CASES, ids=[rule for rule, _ in THRESHOLD_CASES])
def test_the_error_threshold_is_strict_and_printed_as_set(rule: str, make: Callable[[float], Observations]) -> None:
    assert rule not in found(make(0.026))
    finding = next(finding for finding in diagnose(make(0.025)).findings if finding.rule == rule)
    assert "threshold 2.5 %" in finding.evidence


def test_thresholds_of_time_are_printed_as_set() -> None:
    rtt = replace(TCP.rtt, spikes=900, threshold_ns=1_500_000)
    assert "above 1.5 ms" in seen.only(seen.with_tcp(rtt=rtt)).evidence
    files = replace(seen.FILES, fsync=file_op(slow=900, each_ns=MILLISECOND_NS), slow_threshold_ns=250_000)
    assert "longer than 0.25 ms" in seen.only(seen.but(files=files)).evidence
    handshakes = seen.with_connections(latency=dist(1_000, SECOND_NS))
    settings = replace(handshakes.settings, rtt_threshold_ns=7_000_000)
    assert "longer than 7 ms" in seen.only(replace(handshakes, settings=settings)).evidence
