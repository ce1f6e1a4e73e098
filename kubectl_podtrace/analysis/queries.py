"""Statements that were sent to databases: how often, with how many errors, how long they took; and through what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kubectl_podtrace.analysis.selection import LISTED, NOT_TIMED, OTHER, Dist, Durations, Selection
from kubectl_podtrace.wire.query_records import ClientLibraries, Queries, QueryRow

PROTOCOLS: Final = ("postgresql", "mysql")


@dataclass(frozen=True, kw_only=True)
class Query:
    """A statement without its literals: executions, those with errors among them, and how long they took.

    `(other)` holds, for each protocol, all that are not listed; of those no latency is told.
    """

    protocol: str
    statement: str
    count: int
    errors: int
    latency: Dist


@dataclass(frozen=True, kw_only=True)
class QueryLibrary:
    """A file through which statements can be seen; `reason` says why not, where `attached` is false.

    `processes` are those that had it mapped when they were looked at.
    """

    path: str
    protocol: str
    processes: int
    attached: bool
    reason: str


@dataclass(kw_only=True)
class _Sums:
    errors: int = 0
    durations: Durations = field(default_factory=Durations)

    def add(self, row: QueryRow) -> None:
        self.errors += row.errors
        self.durations.add(count=row.count, sum_ns=row.sum_ns, max_ns=row.max_ns, buckets=row.buckets)


def queries(selection: Selection) -> tuple[Query, ...] | None:
    """The section `queries`: first those that took most time in all. None where nothing of the kind could be seen."""
    libraries = query_libraries(selection)
    happened = any(selection.of(f"queries.{protocol}").count for protocol in PROTOCOLS)
    if not happened and not any(library.attached and library.processes for library in libraries):
        return None
    sums: dict[tuple[str, str], _Sums] = {}
    for row in selection.rows(Queries):
        sums.setdefault((row.protocol, row.statement), _Sums()).add(row)
    best = sorted(sums.items(), key=lambda item: (-item[1].durations.sum_ns, item[0]))[:LISTED]
    listed = tuple(
        Query(
            protocol=protocol, statement=statement, count=found.durations.count, errors=found.errors,
            latency=found.durations.dist(),
        )
        for (protocol, statement), found in best
    )  # fmt: skip
    return (*listed, *(rest for protocol in PROTOCOLS if (rest := _rest(selection, protocol, listed)) is not None))


def query_libraries(selection: Selection) -> tuple[QueryLibrary, ...]:
    """The files with functions of database clients that the selected containers have, the most used first."""
    processes: dict[tuple[str, str], int] = {}
    reasons: dict[tuple[str, str], str] = {}
    for row in selection.rows(ClientLibraries):
        key = (row.path, row.protocol)
        processes[key] = processes.get(key, 0) + row.processes
        reasons[key] = row.reason
    return tuple(
        QueryLibrary(
            path=path, protocol=protocol, processes=count, attached=not reasons[path, protocol],
            reason=reasons[path, protocol],
        )
        for (path, protocol), count in sorted(processes.items(), key=lambda item: (-item[1], item[0]))[:LISTED]
    )  # fmt: skip


def _rest(selection: Selection, protocol: str, listed: tuple[Query, ...]) -> Query | None:
    """What the totals hold beyond the list."""
    known = [query for query in listed if query.protocol == protocol]
    total = selection.of(f"queries.{protocol}")
    count = total.count - sum(query.count for query in known)
    if count <= 0:
        return None
    errors = total.errors - sum(query.errors for query in known)
    return Query(protocol=protocol, statement=OTHER, count=count, errors=max(errors, 0), latency=NOT_TIMED)
