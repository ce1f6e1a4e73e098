"""The readable section of TCP."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.tcp import Tcp
from kubectl_podtrace.report.document import Facts, Section
from kubectl_podtrace.report.sections.cells import latency_table, tally
from kubectl_podtrace.report.sections.transfers import error_rate, throughput, transfers


def tcp(section: Tcp, settings: Settings) -> Section:
    """Sends, receives, round trips, and what went wrong on the way."""
    quiet = not (section.send.count or section.receive.count or section.states or section.retransmits)
    if quiet and not (section.resets_sent or section.resets_received):
        return Section(title="TCP", blocks=(), empty="nothing was sent or received")
    latencies = (("send", section.send.latency), ("receive", section.receive.latency), ("RTT", section.rtt))
    operations = transfers(section.send, section.receive)
    return Section(title="TCP", blocks=(operations, *latency_table(latencies), _facts(section, settings)))


def _facts(section: Tcp, settings: Settings) -> Facts:
    rtt = section.rtt
    share = f" ({units.ratio(rtt.spikes / rtt.count)})" if rtt.count else ""
    pairs = [
        (
            f"RTT spikes (> {units.threshold(rtt.threshold_ns)})",
            f"{units.count(rtt.spikes)} of {units.counted(rtt.count, 'sample')}{share}",
        ),
        error_rate(section.send, section.receive, section.error_ratio, settings),
        throughput(section.throughput_bytes_per_s, section.peak_bytes_per_op),
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
