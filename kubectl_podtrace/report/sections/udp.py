"""The readable section of UDP."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.udp import Udp
from kubectl_podtrace.report.document import Facts, Section
from kubectl_podtrace.report.sections.cells import latency_table
from kubectl_podtrace.report.sections.transfers import error_rate, throughput, transfers


def udp(section: Udp, settings: Settings) -> Section:
    """Sends, receives, and what went wrong."""
    if not (section.send.count or section.receive.count or section.drops):
        return Section(title="UDP", blocks=(), empty="nothing was sent or received")
    facts = Facts(
        pairs=(
            error_rate(section.send, section.receive, section.error_ratio, settings),
            throughput(section.throughput_bytes_per_s, section.peak_bytes_per_op),
            ("dropped", f"{units.counted(section.drops, 'datagram')} at full socket buffers"),
        )
    )
    latencies = (("send", section.send.latency), ("receive", section.receive.latency))
    operations = transfers(section.send, section.receive)
    return Section(title="UDP", blocks=(operations, *latency_table(latencies), facts))
