"""The numbers that are read first, each with the section that it is from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_podtrace import units
from kubectl_podtrace.report.model import Report


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A number, what it is of, and what qualifies it; `is_bad` where something failed."""

    key: str
    label: str
    value: str
    note: str = ""
    is_bad: bool = False


def glance(report: Report) -> Iterator[Tile]:
    """Tiles of what was measured and happened; what did not happen has none."""
    summary = report.summary
    yield Tile(key="summary", label="events", value=units.count(summary.events), note=units.rate(summary.events_per_s))
    yield from _of_network(report)
    yield from _of_node(report)


def _of_network(report: Report) -> Iterator[Tile]:
    if report.connections and report.connections.total:
        failed = report.connections.failed
        yield Tile(
            key="connections",
            label="connections",
            value=units.count(report.connections.total),
            note=f"{units.count(failed)} failed" if failed else "none failed",
            is_bad=bool(failed),
        )
    if report.tcp and report.tcp.rtt.count:
        rtt = report.tcp.rtt
        yield Tile(
            key="tcp",
            label="TCP round trip, p99",
            value=units.duration(rtt.p99_ns),
            note=f"p50 {units.duration(rtt.p50_ns)}",
        )
    if report.dns and report.dns.lookups:
        errors = report.dns.errors
        yield Tile(
            key="dns",
            label="DNS lookups",
            value=units.count(report.dns.lookups),
            note=f"{units.count(errors)} failed" if errors else "none failed",
            is_bad=bool(errors),
        )
    if report.network_io and report.network_io.average_ops_per_s:
        traffic = report.network_io
        yield Tile(
            key="network_io",
            label="network I/O",
            value=units.size_rate(traffic.average_bytes_per_s),
            note=f"peak {units.size_rate(traffic.peak_bytes_per_s)}",
        )


def _of_node(report: Report) -> Iterator[Tile]:
    if report.files:
        kinds = (report.files.read, report.files.write, report.files.fsync)
        if count := sum(kind.count for kind in kinds):
            slow = sum(kind.slow for kind in kinds)
            limit = units.threshold(report.files.slow_threshold_ns)
            yield Tile(
                key="files",
                label="file operations",
                value=units.count(count),
                note=f"{units.count(slow)} slower than {limit}" if slow else f"none slower than {limit}",
                is_bad=bool(slow),
            )
    if report.cpu and (report.cpu.switches or report.cpu.total_ratio):
        throttled = report.cpu.throttling.total_ns if report.cpu.throttling else 0
        yield Tile(
            key="cpu",
            label="CPU",
            value=units.ratio(report.cpu.total_ratio),
            note=f"throttled for {units.duration(throttled)}" if throttled else "of one core",
            is_bad=bool(throttled),
        )
    if report.memory and report.memory.working_set_peak_bytes is not None:
        used = report.memory.used_ratio
        note = "no limit" if used is None else f"{units.ratio(used)} of the limit"
        kills = report.memory.oom_kills
        yield Tile(
            key="memory",
            label="memory in use, at most",
            value=units.size(report.memory.working_set_peak_bytes),
            note=f"{units.count(kills)} killed for memory" if kills else note,
            is_bad=bool(kills),
        )
    if report.lifecycle and report.lifecycle.ended:
        failed = report.lifecycle.failed
        yield Tile(
            key="lifecycle",
            label="processes ended",
            value=units.count(report.lifecycle.ended),
            note=f"{units.count(failed)} badly" if failed else "none badly",
            is_bad=bool(failed),
        )
