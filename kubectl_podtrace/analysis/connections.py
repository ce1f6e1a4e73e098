"""Connections: attempts, handshakes, failures by error name, targets, and how attempts spread over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubectl_podtrace.analysis.dns import names_of_addresses
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.patterns import Pattern, connection_pattern
from kubectl_podtrace.analysis.selection import LISTED, OTHER, Dist, Selection
from kubectl_podtrace.wire import records
from kubectl_podtrace.wire.connection_records import OneShots
from kubectl_podtrace.wire.records import Existing

Names = Mapping[tuple[int, str], str]
"""The name of an address, by scope and address."""


@dataclass(frozen=True, kw_only=True)
class ConnectionTarget:
    """A remote address; `name` is the DNS name whose lookup gave it, null where none is known.

    `(other)` (port 0) holds all that are not listed.
    """

    address: str
    port: int
    name: str | None
    count: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class OneShotTarget:
    """A target of connections that were closed after one request each, and what their handshakes took together."""

    address: str
    port: int
    name: str | None
    connections: int
    handshake_total_ns: int


@dataclass(frozen=True, kw_only=True)
class ExistingConnections:
    """Connections that were open before the probes were attached, of the whole pod, by state."""

    count: int
    states: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Connections:
    """The section `connections`. `accept_errors` are those of accepts.

    `pattern` is null without attempts, and where fewer than two windows are known.
    """

    total: int
    per_s: float
    accepted: int
    accept_errors: dict[str, int]
    latency: Dist
    failed: int
    failed_ratio: float
    errors: dict[str, int]
    top_targets: tuple[ConnectionTarget, ...]
    pattern: Pattern | None
    peak_per_s: float
    unique_targets: int
    pending: int
    one_shot: tuple[OneShotTarget, ...] | None
    existing: ExistingConnections | None
    partial: tuple[Partial, ...]


def connections(selection: Selection, *, sees_exchanges: bool = True) -> Connections:
    """The section `connections` of the selected scopes; `sees_exchanges`: sends and receives of TCP were traced too."""
    selection = selection.while_counted("connections.attempt")
    attempts, failures = selection.of("connections.attempt"), selection.of("connections.failure")
    established = selection.of("connections.handshake").count
    accepted = selection.of("connections.accept")
    known = names_of_addresses(selection)
    targets = _targets(selection, known)
    return Connections(
        total=attempts.count,
        per_s=selection.per_s(attempts.count),
        accepted=accepted.count - accepted.errors,
        accept_errors=selection.errors_by_name("connections.accept"),
        latency=selection.latency("connections.handshake"),
        failed=failures.count,
        failed_ratio=failures.count / attempts.count if attempts.count else 0.0,
        errors=selection.errors_by_name("connections.failure"),
        top_targets=_top(targets, total=attempts.count, failed=failures.count),
        pattern=connection_pattern(selection),
        peak_per_s=selection.peak_per_s("connections"),
        unique_targets=len(targets),
        pending=max(attempts.count - established - failures.count, 0),
        one_shot=_one_shots(selection, known) if sees_exchanges else None,
        existing=_existing(selection.existing),
        partial=selection.partial_of("connections"),
    )


def _targets(selection: Selection, known: Names) -> list[ConnectionTarget]:
    rows = selection.rows(records.Targets)
    return [
        ConnectionTarget(address=address, port=port, name=name, count=count, failed=failed)
        for address, port, name, count, failed in _by_target(rows, known, "attempts", "failed")
    ]


def _one_shots(selection: Selection, known: Names) -> tuple[OneShotTarget, ...]:
    """Those with the most connections first."""
    rows = selection.rows(OneShots)
    found = [
        OneShotTarget(address=address, port=port, name=name, connections=count, handshake_total_ns=spent_ns)
        for address, port, name, count, spent_ns in _by_target(rows, known, "connections", "handshake_ns")
    ]
    return tuple(
        sorted(found, key=lambda each: (-each.connections, -each.handshake_total_ns, each.address, each.port))
    )[:LISTED]


def _by_target(
    rows: Iterable[Any], known: Names, first: str, second: str
) -> Iterator[tuple[str, int, str | None, int, int]]:
    """Address, port, name, and two fields of rows, added up over scopes."""
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    names: dict[str, str] = {}
    for row in rows:
        before = sums.get((row.address, row.port), (0, 0))
        sums[row.address, row.port] = (before[0] + getattr(row, first), before[1] + getattr(row, second))
        name = known.get((row.scope, row.address))
        if name:
            names.setdefault(row.address, name)
    for (address, port), numbers in sums.items():
        yield address, port, names.get(address), *numbers


def _top(targets: list[ConnectionTarget], *, total: int, failed: int) -> tuple[ConnectionTarget, ...]:
    listed = sorted(targets, key=lambda target: (-target.count, -target.failed, target.address, target.port))[:LISTED]
    other = ConnectionTarget(
        address=OTHER,
        port=0,
        name=None,
        count=max(total - sum(target.count for target in listed), 0),
        failed=max(failed - sum(target.failed for target in listed), 0),
    )
    return (*listed, other) if other.count or other.failed else tuple(listed)


def _existing(record: Existing | None) -> ExistingConnections | None:
    if record is None:
        return None
    states: dict[str, int] = {}
    for row in record.rows:
        states[row.state] = states.get(row.state, 0) + row.count
    unlisted = record.total - sum(states.values())
    if unlisted > 0:
        states[OTHER] = states.get(OTHER, 0) + unlisted
    return ExistingConnections(count=record.total, states=states)
