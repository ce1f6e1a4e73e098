"""The readable report: its sections in reading order."""

from __future__ import annotations

from kubectl_podtrace.report.document import Section
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.sections.connections import connection_patterns, connections
from kubectl_podtrace.report.sections.cpu import cpu
from kubectl_podtrace.report.sections.dns import dns
from kubectl_podtrace.report.sections.files import files
from kubectl_podtrace.report.sections.network_io import network_io
from kubectl_podtrace.report.sections.overview import cost, issues, overview, trust
from kubectl_podtrace.report.sections.pod_timeline import pod_timeline
from kubectl_podtrace.report.sections.processes import process_activity, system_calls
from kubectl_podtrace.report.sections.tcp import tcp
from kubectl_podtrace.report.sections.udp import udp


def document(report: Report) -> tuple[Section, ...]:
    """All sections that a report has; those of topics that were not traced are left out and named in the summary."""
    sections = (
        overview(report),
        pod_timeline(report.kubernetes_events) if report.kubernetes_events else None,
        tcp(report.tcp, report.settings) if report.tcp else None,
        udp(report.udp, report.settings) if report.udp else None,
        connections(report.connections, report.settings) if report.connections else None,
        dns(report.dns, report.settings) if report.dns else None,
        files(report.files) if report.files else None,
        cpu(report.cpu) if report.cpu else None,
        process_activity(report.processes) if report.processes else None,
        connection_patterns(report.connections) if report.connections else None,
        network_io(report.network_io) if report.network_io else None,
        system_calls(report) if report.processes or report.descriptors else None,
        issues(report.findings),
        trust(report),
        cost(report.cost),
    )
    return tuple(section for section in sections if section is not None)
