"""The readable section of how connection attempts spread over time and targets."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.connections import Connections
from kubectl_podtrace.report.document import Facts, Section

TITLE = "Connection patterns"


def connection_patterns(section: Connections) -> Section:
    """Steady, bursty or sporadic; average and peak rate; how many targets."""
    if not section.total:
        return Section(title=TITLE, blocks=(), empty="no connection was attempted")
    pairs = (
        ("pattern", section.pattern or "too little of the time is known to tell"),
        ("average", units.rate(section.per_s)),
        ("peak (1 s)", units.rate(section.peak_per_s)),
        ("unique targets", units.count(section.unique_targets)),
    )
    return Section(title=TITLE, blocks=(Facts(pairs=pairs),))
