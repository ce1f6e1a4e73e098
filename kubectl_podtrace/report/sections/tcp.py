"""The readable sections of TCP and of network throughput."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.selection import Op
from kubectl_podtrace.analysis.tcp import NetworkIo, Tcp
from kubectl_podtrace.report.document import Facts, Section, Table, left, right
from kubectl_podtrace.report.model import Settings
from kubectl_podtrace.report.sections.cells import latency_table, number_or_dash, tally


def tcp(section: Tcp, settings: Settings) -> Section:
    """Sends, receives, round trips, and what went wrong on the way."""
    quiet = not (section.send.count or section.receive.count or section.states or section.retransmits)
    if quiet and not (section.resets_sent or section.resets_received):
        return Section(title="TCP", blocks=(), empty="nothing was sent or received")
    operations = Table(
        columns=(left("operation"), *right("count", "rate", "bytes", "errors", "would block")),
        rows=(_row("send", section.send), _row("receive", section.receive)),
    )
    latencies = (("send", section.send.latency), ("receive", section.receive.latency), ("RTT", section.rtt))
    return Section(title="TCP", blocks=(operations, *latency_table(latencies), _facts(section, settings)))


def network_io(section: NetworkIo) -> Section:
    """Throughput on TCP, average and peak."""
    if not section.average_ops_per_s:
        return Section(title="Network I/O patterns", blocks=(), empty="no traffic")
    ratio = section.send_receive_ratio
    return Section(
        title="Network I/O patterns",
        blocks=(
            Facts(
                pairs=(
                    ("send/receive", "nothing was received" if ratio is None else units.factor(ratio)),
                    ("average", _throughput(section.average_bytes_per_s, section.average_ops_per_s)),
                    ("peak (1 s)", _throughput(section.peak_bytes_per_s, section.peak_ops_per_s)),
                )
            ),
        ),
    )


def _throughput(bytes_per_s: float, ops_per_s: float) -> str:
    return f"{units.size_rate(bytes_per_s)}, {units.rate(ops_per_s, 'operations')}"


def _row(name: str, operation: Op) -> tuple[str, ...]:
    return (
        name,
        units.count(operation.count),
        units.rate(operation.per_s),
        units.size(operation.bytes),
        number_or_dash(operation.failed),
        number_or_dash(operation.would_block),
    )


def _facts(section: Tcp, settings: Settings) -> Facts:
    rtt = section.rtt
    share = f" ({units.ratio(rtt.spikes / rtt.count)})" if rtt.count else ""
    errors = {**section.send.errors}
    for name, number in section.receive.errors.items():
        errors[name] = errors.get(name, 0) + number
    limit = units.ratio_threshold(settings.error_threshold_ratio)
    pairs = [
        (
            f"RTT spikes (> {units.threshold(rtt.threshold_ns)})",
            f"{units.count(rtt.spikes)} of {units.counted(rtt.count, 'sample')}{share}",
        ),
        (
            f"error rate (threshold {limit})",
            units.ratio(section.error_ratio) + (f": {tally(errors)}" if errors else ""),
        ),
        (
            "throughput",
            (
                f"{units.size_rate(section.throughput_bytes_per_s)}, "
                f"at most {units.size(section.peak_bytes_per_op)} in one operation"
            ),
        ),
        (
            "retransmits, resets",
            (
                f"{units.counted(section.retransmits, 'retransmit')}, "
                f"{units.counted(section.resets_sent, 'reset')} sent, {units.count(section.resets_received)} received"
            ),
        ),
    ]
    if section.states:
        pairs.append(("states entered", tally(section.states)))
    return Facts(pairs=tuple(pairs))
