"""All collectors by topic. A new topic is a module of its own and one line here."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import (
    connections,
    cpu,
    descriptors,
    dns,
    files,
    locks,
    memory,
    processes,
    queries,
    tcp,
    udp,
)
from podtrace_tracer.collectors.model import Collector

COLLECTORS: Final[dict[str, Collector]] = {
    module.COLLECTOR.topic: module.COLLECTOR
    for module in (tcp, udp, dns, connections, files, cpu, locks, processes, memory, descriptors, queries)
}


def collectors_of(topics: tuple[str, ...]) -> tuple[Collector, ...]:
    """The collectors of these topics, in the order in which their C files build on each other."""
    return tuple(collector for topic, collector in COLLECTORS.items() if topic in topics)
