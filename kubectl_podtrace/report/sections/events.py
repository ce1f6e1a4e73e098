"""Single events as they occurred: when, what, how long, what came of it, who, and about what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.dns_numbers import code_name
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.errno_names import errno_name, signal_name
from kubectl_podtrace.analysis.findings.files import SEARCHING
from kubectl_podtrace.analysis.wall_clock import wall_clock
from kubectl_podtrace.report.document import Column, Name, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE
from kubectl_podtrace.wire.records import Event

COLUMNS: Final[tuple[Column, ...]] = (
    *right("at (UTC)", "took"), left("outcome"), left("operation"), left("process"), left("what"),
)  # fmt: skip
_NAMES: Final = {
    "connections.attempt": "connect", "connections.failure": "connect", "connections.accept": "accept",
    "dns.lookup": "lookup", "dns.timeout": "lookup", "processes.fork_process": "fork",
    "processes.fork_thread": "thread", "memory.oom_kill": "OOM kill",
    "tcp.send": "TCP send", "tcp.receive": "TCP receive", "udp.send": "UDP send",
    "udp.receive": "UDP receive", "queries.postgresql": "query", "queries.mysql": "query",
}  # fmt: skip
_FINDS_NOTHING: Final = frozenset({"files.open", "processes.exec"})
"""Programs look along search paths with these: that something is not there is no failure of theirs."""


def outcome(event: Event) -> str:
    """What came of it: an error, a code, a signal, or that it was slow; empty where all was well."""
    if event.operation == "processes.exit":
        return signal_name(event.signal) if event.signal else f"code {event.result}" if event.result else ""
    if event.errno or event.operation == "connections.failure":
        return errno_name(event.errno)
    if event.operation == "dns.timeout":
        return "timeout"
    if event.operation == "dns.lookup" and event.result:
        return code_name(event.result)
    if event.operation == "memory.oom_kill":
        return "killed"
    return "slow" if event.slow else ""


def is_notable(event: Event) -> bool:
    """Whether it was slow or failed; a look along a search path that found nothing did not."""
    came_of_it = outcome(event)
    return bool(came_of_it) and not (event.operation in _FINDS_NOTHING and came_of_it in SEARCHING)


def events_table(events: Sequence[Event], realtime_offset_ns: int) -> Table:
    """The events as rows; each at the time of its end, by the node's clock."""
    return Table(columns=COLUMNS, rows=tuple(_row(event, realtime_offset_ns) for event in events))


def _row(event: Event, offset_ns: int) -> tuple[str, ...]:
    return (
        units.clock(wall_clock(event.start_ns + event.duration_ns + offset_ns)),
        units.duration(event.duration_ns) if event.duration_ns else NONE,
        outcome(event) or NONE,
        _NAMES.get(event.operation) or event.operation.partition(".")[2],
        Name(f"{event.comm} ({event.pid})"),
        Name(_about(event)),
    )


def _about(event: Event) -> str:
    place = endpoint(event.address, event.port) if event.address else ""
    return " ".join(part for part in (place, event.name) if part) or NONE
