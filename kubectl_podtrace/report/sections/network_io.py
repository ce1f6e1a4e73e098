"""The readable section of network throughput."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.network_io import NetworkIo
from kubectl_podtrace.report.document import Facts, Section


def network_io(section: NetworkIo) -> Section:
    """Throughput on TCP and UDP, average and peak."""
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
