"""The readable section of statements sent to databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.queries import Query, QueryLibrary
from kubectl_podtrace.analysis.selection import OTHER, Dist
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import (
    NONE,
    listing,
    number_or_dash,
    tally,
)

TITLE: Final = "Database statements"
PROTOCOLS: Final = {"postgresql": "PostgreSQL", "mysql": "MySQL"}
NOT_SEEN: Final = (
    "none could be seen: no process has libpq, libmysqlclient or libmariadb in use; drivers that speak to databases by"
    " themselves (Java, Go, Node.js, ...) are not seen"
)


def queries(section: tuple[Query, ...] | None, libraries: tuple[QueryLibrary, ...]) -> Section:
    """Statements by the time that they took in all, and the libraries through which they were seen."""
    used = [library for library in libraries if library.attached and library.processes]
    if section is None:
        refused = [library for library in libraries if library.processes and not library.attached]
        reasons = tuple((library.path, f"no probes: {library.reason}") for library in refused)
        blocks_of_refused = (Facts(pairs=reasons),) if reasons else ()
        return Section(title=TITLE, blocks=blocks_of_refused, empty="" if reasons else NOT_SEEN)
    facts: list[tuple[str, str]] = []
    if section:
        facts.append(("statements", _counts(section)))
    facts.extend(("seen through", _library(library)) for library in used)
    if not section:
        return Section(title=TITLE, blocks=(Facts(pairs=(("statements", "none"), *facts)),))
    blocks: list[Block] = [Facts(pairs=tuple(facts)), _statements(section)]
    return Section(title=TITLE, blocks=tuple(blocks))


def _counts(section: tuple[Query, ...]) -> str:
    counts = {
        name: sum(query.count for query in section if query.protocol == protocol)
        for protocol, name in PROTOCOLS.items()
    }
    errors = sum(query.errors for query in section)
    return f"{tally({name: count for name, count in counts.items() if count})}; {units.counted(errors, 'error')}"


def _library(library: QueryLibrary) -> str:
    return (
        f"{library.path} ({PROTOCOLS.get(library.protocol, library.protocol)},"
        f" {units.counted(library.processes, 'process', 'processes')})"
    )


def _statements(section: tuple[Query, ...]) -> Table:
    columns = (*right("count", "errors", "avg", "p95", "max"), left("statement"))
    return listing(columns, section, "statement", _row, _together)


def _row(query: Query) -> Row:
    return (units.count(query.count), number_or_dash(query.errors), *_latency(query.latency), Name(query.statement))


def _together(rest: Sequence[Query]) -> Row:
    count, errors = sum(query.count for query in rest), sum(query.errors for query in rest)
    return (units.count(count), number_or_dash(errors), *(NONE,) * 3, Name(OTHER))


def _latency(dist: Dist) -> tuple[str, ...]:
    """Fewer columns than elsewhere: statements are long."""
    return tuple(units.duration(ns) for ns in (dist.avg_ns, dist.p95_ns, dist.max_ns))
