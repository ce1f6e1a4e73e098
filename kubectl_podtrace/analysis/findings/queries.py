"""Rules about database statements: those that fail, and those that are slow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.evidence import AT_LEAST, GRADED, graded, share, shortened, worst
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.queries import Query
from kubectl_podtrace.analysis.selection import OTHER

SLOW_NS: Final = units.SECOND_NS
SHOWN_CHARS: Final = 60


def _shown(query: Query) -> str:
    return shortened(query.statement, SHOWN_CHARS)


def _errors(section: tuple[Query, ...], seen: Observations) -> Iterator[Trouble]:
    executed, failed = sum(query.count for query in section), sum(query.errors for query in section)
    threshold = seen.settings.error_threshold_ratio
    if failed < AT_LEAST or failed <= threshold * executed:
        return
    failing = worst((query for query in section if query.statement != OTHER), lambda query: query.errors)
    most = f", most of {_shown(failing)}" if failing else ""
    yield Trouble(
        severity=graded(failed, executed),
        title="database statements fail",
        fact=f"{share(failed, executed)}{most}",
        evidence=f"{share(failed, executed)} failed, threshold {units.ratio_threshold(threshold)}{most}",
        next_step="look for this statement in the log of the database or of the program",
    )


def _slow(section: tuple[Query, ...], _: Observations) -> Iterator[Trouble]:
    slow = [
        query
        for query in section
        if query.statement != OTHER and query.latency.count >= AT_LEAST and query.latency.p95_ns > SLOW_NS
    ]
    if not slow:
        return
    slowest = max(slow, key=lambda query: query.latency.sum_ns)
    latency = slowest.latency
    numbers = f"p50 {units.duration(latency.p50_ns)}, p95 {units.duration(latency.p95_ns)}"
    others = f"; {units.counted(len(slow) - 1, 'other statement')} too" if len(slow) > 1 else ""
    yield Trouble(
        severity="warning",
        title="database statements are slow",
        fact=f"{_shown(slowest)}: {numbers}",
        evidence=f"{_shown(slowest)} took {numbers}, max {units.duration(latency.max_ns)} in "
        f"{units.counted(latency.count, 'execution')}{others}",
        next_step="look at its plan (EXPLAIN ANALYZE), its indexes, and the locks that it waits for",
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="query-errors",
        looks_for="failing database statements",
        section=lambda seen: seen.sections.queries,
        check=_errors,
        topics=("queries",),
        raised=f"more than `--error-threshold` of the statements through libpq or libmysqlclient fail, and at least "
        f"{AT_LEAST}",
        severity=GRADED,
        next_step="look for the statement in the log of the database or of the program",
    ),
    Rule(
        slug="queries-slow",
        looks_for="slow database statements",
        section=lambda seen: seen.sections.queries,
        check=_slow,
        topics=("queries",),
        raised=f"more than 5 % of the executions of a statement (at least {AT_LEAST}) take longer than "
        f"{units.limit(SLOW_NS)}",
        severity="warning",
        next_step="look at its plan, its indexes, and the locks that it waits for",
    ),
)
