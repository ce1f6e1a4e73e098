"""Metrics of TCP, UDP, connections and DNS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kubectl_podtrace.analysis.connections import Connections, ConnectionTarget
from kubectl_podtrace.analysis.dns import Dns, DnsName, Resolver, errors_by_name
from kubectl_podtrace.analysis.selection import OTHER, Op
from kubectl_podtrace.analysis.tcp import Tcp
from kubectl_podtrace.analysis.udp import Udp
from kubectl_podtrace.report.metrics.model import (
    SECONDS,
    UNKNOWN,
    Histogram,
    Kind,
    Labels,
    Metric,
    Of,
    Sample,
    Value,
    by_name,
    errors,
    label,
)

_TCP: Final = Of[Tcp](lambda report: report.tcp)
_UDP: Final = Of[Udp](lambda report: report.udp)
_CONNECTIONS: Final = Of[Connections](lambda report: report.connections)
_DNS: Final = Of[Dns](lambda report: report.dns)


def _transfers(section: Tcp | Udp, read: Callable[[Op], Value]) -> Iterator[Sample]:
    yield Sample(("send",), read(section.send))
    yield Sample(("receive",), read(section.receive))


def _errors(section: Tcp | Udp) -> Iterator[Sample]:
    yield from by_name(section.send.errors, "send", rest=UNKNOWN)
    yield from by_name(section.receive.errors, "receive", rest=UNKNOWN)


def _of_transfers(topic: str, shown: str, section: Of[Tcp] | Of[Udp]) -> tuple[Metric, ...]:
    """What TCP and UDP have in common."""
    operation: Labels = ("operation",)

    def counter(name: str, text: str, read: Callable[[Op], Value]) -> Metric:
        reader = section.samples(lambda found: _transfers(found, read))
        return Metric(
            name=f"podtrace_{topic}_{name}_total", kind=Kind.COUNTER, help=text, labels=operation, read=reader
        )

    return (
        counter("operations", f"{shown} sends and receives, failed ones too.", lambda op: op.count),
        counter("failures", f"{shown} sends and receives that failed.", lambda op: op.failed),
        counter("bytes", f"Bytes that {shown} sends and receives moved.", lambda op: op.bytes),
        errors(
            f"podtrace_{topic}_errors_total",
            f"{shown} sends and receives that failed, by the name of the error.",
            section.samples(_errors),
            labels=("operation",),
        ),
        counter(
            "would_block",
            f"Calls to send or receive over {shown} that would have had to wait; in no other number.",
            lambda op: op.would_block,
        ),
        counter(
            "interrupted",
            f"Calls to send or receive over {shown} that a signal interrupted; in no other number.",
            lambda op: op.interrupted,
        ),
        Metric(
            name=f"podtrace_{topic}_duration_seconds",
            kind=Kind.HISTOGRAM,
            help=f"How long {shown} sends and receives took; a receive waits for its peer.",
            labels=operation,
            read=section.samples(lambda found: _transfers(found, lambda op: Histogram.of(op.latency))),
            per_unit=SECONDS,
        ),
    )


def _address(address: str, port: int) -> str:
    if address == OTHER:
        return OTHER
    return label(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")


def _targets(section: Connections, read: Callable[[ConnectionTarget], int]) -> Iterator[Sample]:
    for target in section.top_targets:
        labels = (_address(target.address, target.port), label(target.name or ""))
        yield Sample(labels, read(target), is_rest=target.address == OTHER)


def _resolvers(section: Dns, read: Callable[[Resolver], int]) -> Iterator[Sample]:
    for resolver in section.resolvers:
        yield Sample((_address(resolver.address, resolver.port),), read(resolver), is_rest=resolver.address == OTHER)


def _names(section: Dns, read: Callable[[DnsName], int]) -> Iterator[Sample]:
    for found in section.top_names:
        yield Sample((label(found.name),), read(found), is_rest=found.name == OTHER)


TCP: Final = (
    *_of_transfers("tcp", "TCP", _TCP),
    Metric(
        name="podtrace_tcp_rtt_seconds",
        kind=Kind.HISTOGRAM,
        help="Samples of the sockets' smoothed round-trip time.",
        read=_TCP.histogram(lambda tcp: tcp.rtt),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_tcp_rtt_spikes_total",
        kind=Kind.COUNTER,
        help="Samples of the round-trip time above --rtt-threshold.",
        read=_TCP.value(lambda tcp: tcp.rtt.spikes),
    ),
    Metric(
        name="podtrace_tcp_retransmits_total",
        kind=Kind.COUNTER,
        help="Segments that were sent again.",
        read=_TCP.value(lambda tcp: tcp.retransmits),
    ),
    Metric(
        name="podtrace_tcp_resets_total",
        kind=Kind.COUNTER,
        help="Resets of connections, sent and received.",
        labels=("direction",),
        read=_TCP.samples(lambda tcp: (Sample(("sent",), tcp.resets_sent), Sample(("received",), tcp.resets_received))),
    ),
    Metric(
        name="podtrace_tcp_state_changes_total",
        kind=Kind.COUNTER,
        help="Sockets that entered a state.",
        labels=("state",),
        read=_TCP.samples(lambda tcp: by_name(tcp.states)),
    ),
)
UDP: Final = (
    *_of_transfers("udp", "UDP", _UDP),
    Metric(
        name="podtrace_udp_drops_total",
        kind=Kind.COUNTER,
        help="Datagrams that reached their socket and found its buffer full.",
        read=_UDP.value(lambda udp: udp.drops),
    ),
)
CONNECTIONS: Final = (
    Metric(
        name="podtrace_connections_attempts_total",
        kind=Kind.COUNTER,
        help="Attempts to connect.",
        read=_CONNECTIONS.value(lambda section: section.total),
    ),
    Metric(
        name="podtrace_connections_failures_total",
        kind=Kind.COUNTER,
        help="Attempts to connect that failed.",
        read=_CONNECTIONS.value(lambda section: section.failed),
    ),
    errors(
        "podtrace_connections_errors_total",
        "Attempts to connect that failed, by the name of the error.",
        _CONNECTIONS.samples(lambda section: by_name(section.errors, rest=UNKNOWN)),
    ),
    Metric(
        name="podtrace_connections_accepted_total",
        kind=Kind.COUNTER,
        help="Connections that were accepted.",
        read=_CONNECTIONS.value(lambda section: section.accepted),
    ),
    errors(
        "podtrace_connections_accept_errors_total",
        "Accepts that failed, by the name of the error.",
        _CONNECTIONS.samples(lambda section: by_name(section.accept_errors, rest=UNKNOWN)),
    ),
    Metric(
        name="podtrace_connections_handshake_seconds",
        kind=Kind.HISTOGRAM,
        help="How long the handshakes of connections took that came about.",
        read=_CONNECTIONS.histogram(lambda section: section.latency),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_connections_pending",
        kind=Kind.GAUGE,
        help="Attempts to connect that are under way.",
        read=_CONNECTIONS.value(lambda section: section.pending),
    ),
    Metric(
        name="podtrace_connections_targets",
        kind=Kind.GAUGE,
        help="Different addresses and ports that were connected to.",
        read=_CONNECTIONS.value(lambda section: section.unique_targets),
    ),
    Metric(
        name="podtrace_connections_target_attempts_total",
        kind=Kind.COUNTER,
        help="Attempts to connect, by target.",
        labels=("target", "name"),
        read=_CONNECTIONS.samples(lambda section: _targets(section, lambda target: target.count)),
        key=2,
    ),
    Metric(
        name="podtrace_connections_target_failures_total",
        kind=Kind.COUNTER,
        help="Attempts to connect that failed, by target.",
        labels=("target", "name"),
        read=_CONNECTIONS.samples(lambda section: _targets(section, lambda target: target.failed)),
        key=2,
    ),
)
DNS: Final = (
    Metric(
        name="podtrace_dns_lookups_total",
        kind=Kind.COUNTER,
        help="Lookups, as they were sent: A and AAAA are two.",
        read=_DNS.value(lambda dns: dns.lookups),
    ),
    Metric(
        name="podtrace_dns_lookup_seconds",
        kind=Kind.HISTOGRAM,
        help="How long lookups waited for their answers.",
        read=_DNS.histogram(lambda dns: dns.latency),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_dns_failures_total",
        kind=Kind.COUNTER,
        help="Lookups that failed: answers that are errors (NXDOMAIN is none), and timeouts.",
        read=_DNS.value(lambda dns: dns.errors),
    ),
    errors(
        "podtrace_dns_errors_total",
        "Lookups that failed, by the code of the answer; timeouts are those without one in time.",
        _DNS.samples(lambda dns: by_name(errors_by_name(dns), rest=UNKNOWN)),
    ),
    Metric(
        name="podtrace_dns_answers_total",
        kind=Kind.COUNTER,
        help="Answers by their code.",
        labels=("rcode",),
        read=_DNS.samples(lambda dns: by_name(dns.rcodes)),
        key=1,
    ),
    Metric(
        name="podtrace_dns_queries_total",
        kind=Kind.COUNTER,
        help="Lookups by the type that they ask for.",
        labels=("type",),
        read=_DNS.samples(lambda dns: by_name(dns.query_types)),
        key=1,
    ),
    Metric(
        name="podtrace_dns_retransmits_total",
        kind=Kind.COUNTER,
        help="Queries that were sent again.",
        read=_DNS.value(lambda dns: dns.retransmits),
    ),
    Metric(
        name="podtrace_dns_resolver_lookups_total",
        kind=Kind.COUNTER,
        help="Lookups by the server that was asked.",
        labels=("resolver",),
        read=_DNS.samples(lambda dns: _resolvers(dns, lambda resolver: resolver.count)),
        key=1,
    ),
    Metric(
        name="podtrace_dns_resolver_timeouts_total",
        kind=Kind.COUNTER,
        help="Lookups without an answer in time, by the server that was asked.",
        labels=("resolver",),
        read=_DNS.samples(lambda dns: _resolvers(dns, lambda resolver: resolver.timeouts)),
        key=1,
    ),
    Metric(
        name="podtrace_dns_name_lookups_total",
        kind=Kind.COUNTER,
        help="Lookups by name.",
        labels=("name",),
        read=_DNS.samples(lambda dns: _names(dns, lambda name: name.count)),
        key=1,
    ),
    Metric(
        name="podtrace_dns_name_errors_total",
        kind=Kind.COUNTER,
        help="Lookups that failed, by name.",
        labels=("name",),
        read=_DNS.samples(lambda dns: _names(dns, lambda name: name.errors)),
        key=1,
    ),
    Metric(
        name="podtrace_dns_name_nxdomain_total",
        kind=Kind.COUNTER,
        help="Lookups that were answered with NXDOMAIN, by name.",
        labels=("name",),
        read=_DNS.samples(lambda dns: _names(dns, lambda name: name.nxdomain)),
        key=1,
    ),
)
