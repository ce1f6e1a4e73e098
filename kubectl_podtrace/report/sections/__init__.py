"""The readable report: its sections in reading order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeVar

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.trust import Trust
from kubectl_podtrace.report.document import Section
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.sections.caveats import with_caveats
from kubectl_podtrace.report.sections.connection_patterns import connection_patterns
from kubectl_podtrace.report.sections.connections import connections
from kubectl_podtrace.report.sections.cost import cost
from kubectl_podtrace.report.sections.cpu import cpu
from kubectl_podtrace.report.sections.dns import dns
from kubectl_podtrace.report.sections.files import files
from kubectl_podtrace.report.sections.findings import findings
from kubectl_podtrace.report.sections.gate import gate
from kubectl_podtrace.report.sections.lifecycle import lifecycle
from kubectl_podtrace.report.sections.locks import locks
from kubectl_podtrace.report.sections.memory import memory
from kubectl_podtrace.report.sections.network_io import network_io
from kubectl_podtrace.report.sections.overview import cleanup, overview, trust
from kubectl_podtrace.report.sections.pod_timeline import pod_timeline
from kubectl_podtrace.report.sections.processes import process_activity, system_calls
from kubectl_podtrace.report.sections.queries import queries
from kubectl_podtrace.report.sections.stacks import stacks
from kubectl_podtrace.report.sections.tcp import tcp
from kubectl_podtrace.report.sections.timeline import timeline
from kubectl_podtrace.report.sections.udp import udp
from kubectl_podtrace.wire.topics import EVERY_TOPIC, TOPICS

Measured = TypeVar("Measured", bound="HasPartial")


class HasPartial(Protocol):
    """A section whose numbers may stop in the middle of the trace."""

    @property
    def partial(self) -> tuple[Partial, ...]:
        """What they lack."""


def document(report: Report) -> tuple[Section, ...]:
    """All sections that a report has; those of topics that were not traced are left out and named in the summary.

    Each names the topics whose losses it tells of. What is drawn from numbers that stand above leaves that to them.
    """
    return parts(report, PARTS)


def parts(report: Report, names: Iterable[str]) -> tuple[Section, ...]:
    """Some of the sections, by their names in `PARTS`."""
    return tuple(section for name in names for section in PARTS[name](report))


def _queries(report: Report) -> Iterator[Section]:
    """Most programs have nothing to do with databases: that there are no statements is only said to who asks."""
    libraries = report.query_libraries
    is_asked = set(report.settings.topics) != set(TOPICS)
    if libraries is not None and (
        is_asked or report.queries is not None or any(library.processes for library in libraries)
    ):
        yield with_caveats(queries(report.queries, libraries), report.trust, ("queries",))


def _system_calls(report: Report) -> Iterator[Section]:
    """Processes and descriptors together."""
    if report.processes or report.descriptors:
        partial = report.descriptors.partial if report.descriptors else ()
        yield with_caveats(system_calls(report), report.trust, ("descriptors",), partial)


def _drawn(
    section: Measured | None, draw: Callable[[Measured], Section], trusted: Trust, *topics: str, over_time: bool = False
) -> Iterator[Section]:
    """The readable section with its caveats; none where the section is None."""
    if section is not None:
        yield with_caveats(draw(section), trusted, topics, section.partial, over_time=over_time)


PARTS: Final[dict[str, Callable[[Report], Iterable[Section]]]] = {
    "findings": lambda of: (findings(of),),
    "gate": lambda of: [gate(of.gate)] if of.gate else [],
    "summary": lambda of: (with_caveats(overview(of), of.trust, (EVERY_TOPIC,), of.summary.partial),),
    "kubernetes_events": lambda of: [pod_timeline(of.kubernetes_events)] if of.kubernetes_events else [],
    "tcp": lambda of: _drawn(of.tcp, lambda section: tcp(section, of.settings), of.trust, "tcp"),
    "udp": lambda of: _drawn(of.udp, lambda section: udp(section, of.settings), of.trust, "udp"),
    "connections": lambda of: _drawn(
        of.connections, lambda section: connections(section, of.settings), of.trust, "connections"
    ),
    "dns": lambda of: _drawn(of.dns, lambda section: dns(section, of.settings), of.trust, "dns"),
    "queries": _queries,
    "files": lambda of: _drawn(of.files, files, of.trust, "files"),
    "cpu": lambda of: _drawn(of.cpu, cpu, of.trust, "cpu"),
    "locks": lambda of: _drawn(of.locks, locks, of.trust, "locks"),
    "stacks": lambda of: [stacks(of.stacks, of.settings)] if of.stacks is not None else [],
    "processes": lambda of: _drawn(of.processes, process_activity, of.trust, "processes"),
    "lifecycle": lambda of: _drawn(of.lifecycle, lifecycle, of.trust),
    "memory": lambda of: _drawn(of.memory, memory, of.trust, "memory"),
    "timeline": lambda of: _drawn(of.timeline, timeline, of.trust, over_time=True),
    "connection_patterns": lambda of: _drawn(of.connections, connection_patterns, of.trust, over_time=True),
    "network_io": lambda of: _drawn(of.network_io, network_io, of.trust, over_time=True),
    "descriptors": _system_calls,
    "trust": lambda of: (trust(of),),
    "cost": lambda of: (cost(of.cost),),
    "cleanup": lambda of: [cleanup(of.cleanup)] if of.cleanup else [],
}
"""The sections in reading order, by names that are those of the report's fields where there is one field for each."""
