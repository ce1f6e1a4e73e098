"""The charts of a report, for formats that draw: by the names of the sections that they stand in."""

from __future__ import annotations

from collections.abc import Iterator

from kubectl_podtrace.analysis.queries import Query
from kubectl_podtrace.analysis.selection import OTHER, Dist
from kubectl_podtrace.report.charts import bars, flames
from kubectl_podtrace.report.charts.activity import activity
from kubectl_podtrace.report.charts.chart import Chart
from kubectl_podtrace.report.charts.histograms import histograms
from kubectl_podtrace.report.model import Report

QUERIES = 4
RESOLVERS = 3
"""Of so many statements and resolvers, the first ones, there are histograms."""


def charts(report: Report) -> dict[str, tuple[Chart, ...]]:
    """The charts of each section that has any."""
    found: dict[str, tuple[Chart, ...]] = {
        "timeline": activity(report),
        "stacks": flames.slow_operations(report.stacks or ()),
        **_of_network(report),
        **_of_node(report),
    }
    return {name: of_section for name, of_section in found.items() if of_section}


def _of_network(report: Report) -> dict[str, tuple[Chart, ...]]:
    found: dict[str, tuple[Chart, ...]] = {}
    if report.tcp:
        tcp = report.tcp
        timed = (("TCP send", tcp.send.latency), ("TCP receive", tcp.receive.latency), ("TCP round trip", tcp.rtt))
        found["tcp"] = histograms(timed)
    if report.udp:
        found["udp"] = histograms((("UDP send", report.udp.send.latency), ("UDP receive", report.udp.receive.latency)))
    if report.connections:
        latency = histograms((("TCP handshake", report.connections.latency),))
        found["connections"] = (*bars.targets(report.connections), *latency)
    if report.dns:
        dns = report.dns
        several = [(f"answers of {each.address}", each.latency) for each in dns.resolvers if each.address != OTHER]
        timed_lookups = (("DNS lookup", dns.latency), *(several[:RESOLVERS] if len(several) > 1 else ()))
        found["dns"] = (*bars.names(dns), *histograms(timed_lookups))
    if report.queries:
        found["queries"] = histograms(_statements(report.queries))
    return found


def _statements(queries: tuple[Query, ...]) -> Iterator[tuple[str, Dist]]:
    yield from [(query.statement, query.latency) for query in queries if query.statement != OTHER][:QUERIES]


def _of_node(report: Report) -> dict[str, tuple[Chart, ...]]:
    found: dict[str, tuple[Chart, ...]] = {}
    if report.files:
        files = report.files
        kinds = ("read", "write", "fsync", "open", "unlink", "rename")
        timed = [(f"file {kind}" if kind != "fsync" else kind, getattr(files, kind).latency) for kind in kinds]
        found["files"] = (*histograms(timed), *bars.busiest_files(files))
    if report.cpu:
        causes = report.cpu.block_by_cause
        waits = [(f"waits for {label}", getattr(causes, name)) for name, label in bars.CAUSES]
        stacks = (*flames.on_cpu(report.cpu), *flames.off_cpu(report.cpu))
        found["cpu"] = (*bars.waits(report.cpu), *bars.running(report.cpu), *stacks, *histograms(waits))
    if report.locks:
        locks = report.locks
        found["locks"] = histograms(
            (("waits for a lock that was held", locks.contended), ("waits for anything in a futex", locks.waits))
        )
    if report.processes:
        found["processes"] = bars.active(report.processes)
    if report.lifecycle:
        found["lifecycle"] = histograms((("lifetime of processes", report.lifecycle.lifetimes),))
    if report.memory:
        found["memory"] = bars.resident(report.memory)
    return found
