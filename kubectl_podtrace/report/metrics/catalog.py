"""Every metric there is, in the order in which they are exposed."""

from __future__ import annotations

from typing import Final

from kubectl_podtrace.report.metrics.model import Metric
from kubectl_podtrace.report.metrics.network import CONNECTIONS, DNS, TCP, UDP
from kubectl_podtrace.report.metrics.node import CPU, FILES, LOCKS, QUERIES
from kubectl_podtrace.report.metrics.processes import DESCRIPTORS, LIFECYCLE, MEMORY, PROCESSES
from kubectl_podtrace.report.metrics.trace import ABOUT, COST, FINDINGS, TRUST

GROUPS: Final[dict[str, tuple[Metric, ...]]] = {
    "The trace": ABOUT,
    "Findings": FINDINGS,
    "TCP": TCP,
    "UDP": UDP,
    "Connections": CONNECTIONS,
    "DNS": DNS,
    "Database statements": QUERIES,
    "Files": FILES,
    "CPU": CPU,
    "Locks": LOCKS,
    "Processes": (*PROCESSES, *LIFECYCLE),
    "Memory": MEMORY,
    "Descriptors": DESCRIPTORS,
    "Trust": TRUST,
    "Cost": COST,
}
"""The metrics by what they are about."""
METRICS: Final = tuple(metric for group in GROUPS.values() for metric in group)
