"""The readable report: its sections in reading order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

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
    settings, trusted = report.settings, report.trust
    return (
        findings(report),
        with_caveats(overview(report), trusted, (EVERY_TOPIC,), report.summary.partial),
        *([pod_timeline(report.kubernetes_events)] if report.kubernetes_events else ()),
        *_drawn(report.tcp, lambda section: tcp(section, settings), trusted, "tcp"),
        *_drawn(report.udp, lambda section: udp(section, settings), trusted, "udp"),
        *_drawn(report.connections, lambda section: connections(section, settings), trusted, "connections"),
        *_drawn(report.dns, lambda section: dns(section, settings), trusted, "dns"),
        *_queries(report),
        *_drawn(report.files, files, trusted, "files"),
        *_drawn(report.cpu, cpu, trusted, "cpu"),
        *_drawn(report.locks, locks, trusted, "locks"),
        *([stacks(report.stacks, settings)] if report.stacks is not None else ()),
        *_drawn(report.processes, process_activity, trusted, "processes"),
        *_drawn(report.lifecycle, lifecycle, trusted),
        *_drawn(report.memory, memory, trusted, "memory"),
        *_drawn(report.timeline, timeline, trusted, over_time=True),
        *_drawn(report.connections, connection_patterns, trusted, over_time=True),
        *_drawn(report.network_io, network_io, trusted, over_time=True),
        *_system_calls(report),
        trust(report),
        cost(report.cost),
        *([cleanup(report.cleanup)] if report.cleanup else ()),
    )


def _drawn(
    section: Measured | None, draw: Callable[[Measured], Section], trusted: Trust, *topics: str, over_time: bool = False
) -> Iterator[Section]:
    """The readable section with its caveats; none where the section is None."""
    if section is not None:
        yield with_caveats(draw(section), trusted, topics, section.partial, over_time=over_time)


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
