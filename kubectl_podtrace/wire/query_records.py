"""The records of the topic queries: statements, and the files through which they were seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from kubectl_podtrace.wire.fields import Count, Index, Limit, Text

Protocol = Annotated[str, Limit(words=frozenset({"postgresql", "mysql"}))]


@dataclass(frozen=True, kw_only=True)
class QueryRow:
    """A statement without its literals; `key` is its number here, `buckets` as in `Histogram`, of all that `count`."""

    scope: Index
    key: Count
    protocol: Protocol
    statement: Text
    count: Count
    errors: Count
    sum_ns: Count
    max_ns: Count
    buckets: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class Queries:
    """Statements that were sent to databases, as `Files`."""

    rows: tuple[QueryRow, ...]


@dataclass(frozen=True, kw_only=True)
class ClientLibraryRow:
    """A file with functions of a database client; `processes` were seen to have it mapped.

    `since_ns` is when its probes were attached; without them it is 0, and `reason` says why.
    """

    scope: Index
    path: Text
    protocol: Protocol
    processes: Count
    since_ns: Count
    reason: Text


@dataclass(frozen=True, kw_only=True)
class ClientLibraries:
    """Through which files statements can be seen. No counter: the newest row of a file holds."""

    rows: tuple[ClientLibraryRow, ...]
