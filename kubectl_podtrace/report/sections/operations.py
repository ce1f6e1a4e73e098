"""The operations of a running trace, one a row: the latest window beside the totals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_podtrace import units
from kubectl_podtrace.analysis.files import Files
from kubectl_podtrace.analysis.selection import Dist, Op
from kubectl_podtrace.report.model import LiveReport, Report
from kubectl_podtrace.report.sections.cells import NONE, number_or_dash


@dataclass(frozen=True, kw_only=True)
class OperationRow:
    """An operation in the window; `total` is since the beginning. `failed` is None where nothing of it can fail."""

    name: str
    count: int
    per_s: float
    latency: Dist | None
    failed: int | None
    total: int

    @property
    def latency_cells(self) -> tuple[str, str, str]:
        """p50, p99 and maximum; dashes where nothing was timed."""
        if self.latency is None or not self.latency.count:
            return (NONE, NONE, NONE)
        # Histograms travel less often than counts: no percentile is known yet where they are behind.
        p50, p99 = (units.duration(ns) if ns else NONE for ns in (self.latency.p50_ns, self.latency.p99_ns))
        return (p50, p99, units.duration(self.latency.max_ns))

    @property
    def failed_cell(self) -> str:
        """How many failed; a dash for none."""
        return NONE if self.failed is None else number_or_dash(self.failed)


def operation_rows(live: LiveReport) -> Iterator[OperationRow]:
    """The operations that were measured; of those that most programs never do, only what has happened."""
    window, total = live.window, live.total
    yield _row("events", window.summary.events, window, total.summary.events)
    yield from _network_rows(window, total)
    if window.dns and total.dns and total.dns.lookups:
        dns = window.dns
        yield _row("DNS lookup", dns.lookups, window, total.dns.lookups, latency=dns.latency, failed=dns.errors)
    if window.files and total.files:
        for name, now, ever in zip(
            ("file read", "file write", "fsync", "file open"), _kinds(window.files), _kinds(total.files), strict=True
        ):
            if ever.count:
                yield _operation(name, now, window, ever)
    if window.cpu and total.cpu:
        yield _row("CPU switch", window.cpu.switches, window, total.cpu.switches)
        waited, ever_waited = window.cpu.block_by_cause.run_queue, total.cpu.block_by_cause.run_queue
        yield _row("wait for a CPU", waited.count, window, ever_waited.count, latency=waited)
    if window.processes and total.processes:
        yield _row("exec", window.processes.exec, window, total.processes.exec)


def _network_rows(window: Report, total: Report) -> Iterator[OperationRow]:
    if window.tcp and total.tcp:
        yield _operation("TCP send", window.tcp.send, window, total.tcp.send)
        yield _operation("TCP receive", window.tcp.receive, window, total.tcp.receive)
        yield _row("RTT", window.tcp.rtt.count, window, total.tcp.rtt.count, latency=window.tcp.rtt)
    if window.udp and total.udp and (total.udp.send.count or total.udp.receive.count):
        yield _operation("UDP send", window.udp.send, window, total.udp.send)
        yield _operation("UDP receive", window.udp.receive, window, total.udp.receive)
    if window.connections and total.connections:
        now, ever = window.connections, total.connections
        yield _row("connection", now.total, window, ever.total, latency=now.latency, failed=now.failed)


def _kinds(files: Files) -> tuple[Op, ...]:
    return (files.read, files.write, files.fsync, files.open)


def _operation(name: str, now: Op, window: Report, ever: Op) -> OperationRow:
    return _row(name, now.count, window, ever.count, latency=now.latency, failed=now.failed)


def _row(
    name: str, number: int, window: Report, total: int, *, latency: Dist | None = None, failed: int | None = None
) -> OperationRow:
    seconds = window.summary.duration_s
    per_s = number / seconds if seconds else 0.0
    return OperationRow(name=name, count=number, per_s=per_s, latency=latency, failed=failed, total=total)
