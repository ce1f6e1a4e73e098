"""The sections of what was measured: their keys in the report, what makes each, and the topics that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.analysis.connections import Connections, connections
from kubectl_podtrace.analysis.cpu import Cpu, cpu
from kubectl_podtrace.analysis.descriptors import Descriptors, descriptors
from kubectl_podtrace.analysis.dns import Dns, dns
from kubectl_podtrace.analysis.files import Files, files
from kubectl_podtrace.analysis.lifecycle import Lifecycle, lifecycle
from kubectl_podtrace.analysis.locks import Locks, locks
from kubectl_podtrace.analysis.memory import Memory, memory
from kubectl_podtrace.analysis.network_io import NetworkIo, network_io
from kubectl_podtrace.analysis.pod_timeline import PodTimeline
from kubectl_podtrace.analysis.processes import Processes, processes
from kubectl_podtrace.analysis.queries import Query, QueryLibrary, queries, query_libraries
from kubectl_podtrace.analysis.selection import Selection
from kubectl_podtrace.analysis.settings import Settings
from kubectl_podtrace.analysis.stacks import TOPICS as STACK_TOPICS
from kubectl_podtrace.analysis.stacks import Stack, stacks
from kubectl_podtrace.analysis.tcp import Tcp, tcp
from kubectl_podtrace.analysis.timeline import Timeline, timeline
from kubectl_podtrace.analysis.udp import Udp, udp
from kubectl_podtrace.wire.topics import TOPICS

TOPICS_OF_SECTIONS: Final[dict[str, frozenset[str]]] = {
    **{topic: frozenset({topic}) for topic in TOPICS},
    "network_io": frozenset({"tcp", "udp"}),
    "lifecycle": frozenset({"processes"}),
    "timeline": frozenset(TOPICS),
    "query_libraries": frozenset({"queries"}),
    "stacks": STACK_TOPICS,
}
"""The topics that a section is made of; one of them is enough. What happened to the pod is of no topic."""


@dataclass(frozen=True, kw_only=True)
class Sections:
    """The sections by their keys in the JSON export, in its order.

    One is None when its topic was not asked for or could not be measured; those without a type here belong to topics
    that this version does not trace.
    """

    tcp: Tcp | None = None
    udp: Udp | None = None
    connections: Connections | None = None
    network_io: NetworkIo | None = None
    dns: Dns | None = None
    files: Files | None = None
    cpu: Cpu | None = None
    processes: Processes | None = None
    lifecycle: Lifecycle | None = None
    memory: Memory | None = None
    kubernetes_events: PodTimeline | None = None
    descriptors: Descriptors | None = None
    timeline: Timeline | None = None
    locks: Locks | None = None
    queries: tuple[Query, ...] | None = None
    query_libraries: tuple[QueryLibrary, ...] | None = None
    stacks: tuple[Stack, ...] | None = None


def sections(
    selection: Selection, settings: Settings, *, measured: frozenset[str], pod: PodTimeline | None
) -> Sections:
    """The sections of the topics that were `measured`; what happened to the `pod` is its own."""
    can = frozenset(section for section, topics in TOPICS_OF_SECTIONS.items() if topics & measured)
    return Sections(
        tcp=tcp(selection, rtt_threshold_ns=settings.rtt_threshold_ns) if "tcp" in can else None,
        udp=udp(selection) if "udp" in can else None,
        connections=connections(selection, sees_exchanges="tcp" in measured) if "connections" in can else None,
        network_io=network_io(selection) if "network_io" in can else None,
        dns=dns(selection) if "dns" in can else None,
        files=files(selection, slow_threshold_ns=settings.fs_threshold_ns) if "files" in can else None,
        cpu=cpu(selection) if "cpu" in can else None,
        processes=processes(selection) if "processes" in can else None,
        lifecycle=lifecycle(selection, pod) if "lifecycle" in can else None,
        memory=memory(selection) if "memory" in can else None,
        kubernetes_events=pod,
        descriptors=descriptors(selection) if "descriptors" in can else None,
        timeline=timeline(selection) if "timeline" in can else None,
        locks=locks(selection) if "locks" in can else None,
        queries=queries(selection) if "queries" in can else None,
        query_libraries=query_libraries(selection) if "query_libraries" in can else None,
        stacks=stacks(selection) if "stacks" in can else None,
    )
