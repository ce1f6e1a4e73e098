"""The readable report: its sections in reading order."""

from __future__ import annotations

from collections.abc import Iterator

from kubectl_podtrace.report.document import Section
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.sections.caveats import with_caveats
from kubectl_podtrace.report.sections.connections import connection_patterns, connections
from kubectl_podtrace.report.sections.cost import cost
from kubectl_podtrace.report.sections.cpu import cpu
from kubectl_podtrace.report.sections.dns import dns
from kubectl_podtrace.report.sections.files import files
from kubectl_podtrace.report.sections.network_io import network_io
from kubectl_podtrace.report.sections.overview import cleanup, issues, overview, trust
from kubectl_podtrace.report.sections.pod_timeline import pod_timeline
from kubectl_podtrace.report.sections.processes import process_activity, system_calls
from kubectl_podtrace.report.sections.tcp import tcp
from kubectl_podtrace.report.sections.udp import udp
from kubectl_podtrace.wire.topics import EVERY_TOPIC


def document(report: Report) -> tuple[Section, ...]:
    """All sections that a report has; those of topics that were not traced are left out and named in the summary."""
    return (
        with_caveats(overview(report), report.trust, (EVERY_TOPIC,), report.summary.partial),
        *([pod_timeline(report.kubernetes_events)] if report.kubernetes_events else ()),
        *_network(report),
        *_files_and_processes(report),
        *_patterns(report),
        issues(report.findings),
        trust(report),
        cost(report.cost),
        *([cleanup(report.cleanup)] if report.cleanup else ()),
    )


def _network(report: Report) -> Iterator[Section]:
    settings, trusted = report.settings, report.trust
    if report.tcp:
        yield with_caveats(tcp(report.tcp, settings), trusted, ("tcp",), report.tcp.partial)
    if report.udp:
        yield with_caveats(udp(report.udp, settings), trusted, ("udp",), report.udp.partial)
    if report.connections:
        section = connections(report.connections, settings)
        yield with_caveats(section, trusted, ("connections",), report.connections.partial)
    if report.dns:
        yield with_caveats(dns(report.dns, settings), trusted, ("dns",), report.dns.partial)


def _files_and_processes(report: Report) -> Iterator[Section]:
    if report.files:
        yield with_caveats(files(report.files), report.trust, ("files",), report.files.partial)
    if report.cpu:
        yield with_caveats(cpu(report.cpu), report.trust, ("cpu",), report.cpu.partial)
    if report.processes:
        section = process_activity(report.processes)
        yield with_caveats(section, report.trust, ("processes",), report.processes.partial)


def _patterns(report: Report) -> Iterator[Section]:
    """What is drawn from numbers that stand above: their losses are named there."""
    if report.connections:
        section = connection_patterns(report.connections)
        yield with_caveats(section, report.trust, (), report.connections.partial, over_time=True)
    if report.network_io:
        section = network_io(report.network_io)
        yield with_caveats(section, report.trust, (), report.network_io.partial, over_time=True)
    if report.processes or report.descriptors:
        partial = report.descriptors.partial if report.descriptors else ()
        yield with_caveats(system_calls(report), report.trust, ("descriptors",), partial)
