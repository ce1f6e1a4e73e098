"""Statements as the tracer tells of them, for tests: three of a small shop, and the library that they went through."""

from __future__ import annotations

from collections import Counter
from typing import Final

from kubectl_podtrace.wire.histogram import bucket_of
from kubectl_podtrace.wire.query_records import ClientLibraries, ClientLibraryRow, Queries, QueryRow
from kubectl_podtrace.wire.records import Record


def query_row(
    statement: str,
    durations: list[int],
    *,
    key: int = 0,
    errors: int = 0,
    protocol: str = "postgresql",
    scope: int = 0,
) -> QueryRow:
    """A statement that took so long each time."""
    buckets = sorted(Counter(bucket_of(duration) for duration in durations).items())
    return QueryRow(
        scope=scope, key=key, protocol=protocol, statement=statement, count=len(durations), errors=errors,
        sum_ns=sum(durations), max_ns=max(durations), buckets=tuple(number for pair in buckets for number in pair),
    )  # fmt: skip


def library_row(path: str, *, processes: int = 0, protocol: str = "postgresql", reason: str = "") -> ClientLibraryRow:
    """A file with probes, or without for a reason."""
    since_ns = 0 if reason else 1_000_000_000_000
    return ClientLibraryRow(
        scope=0, path=path, protocol=protocol, processes=processes, since_ns=since_ns, reason=reason
    )


LIBPQ: Final = library_row("/usr/lib/x86_64-linux-gnu/libpq.so.5.15", processes=2)
DURATIONS: Final = {
    "select id, total from orders where id = $1": [2_000_000] * 900 + [41_000_000] * 7,
    "insert into orders (id, total) values (?, ...)": [5_000_000] * 83,
    "select total from order_lines where shop = ?": [300_000] * 11,
}
ALL_DURATIONS: Final = [duration for durations in DURATIONS.values() for duration in durations]
ERRORS: Final = {
    "insert into orders (id, total) values (?, ...)": 2,
    "select total from order_lines where shop = ?": 11,
}


def query_records() -> tuple[Record, ...]:
    """Three statements of which one always fails, and their library."""
    rows = tuple(
        query_row(statement, durations, key=key, errors=ERRORS.get(statement, 0))
        for key, (statement, durations) in enumerate(DURATIONS.items())
    )
    return Queries(rows=rows), ClientLibraries(rows=(LIBPQ,))
