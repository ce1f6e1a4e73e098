"""Keyed cumulative values in bounded memory, and the difference of two of their states."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

from kubectl_podtrace.wire.connection_records import OneShots
from kubectl_podtrace.wire.cpu_records import CpuProcesses, Throttling
from kubectl_podtrace.wire.descriptor_records import DescriptorOpeners, DescriptorTables
from kubectl_podtrace.wire.dns_records import AddressNames, DnsCodes, DnsNames, DnsTypes, Resolvers
from kubectl_podtrace.wire.file_records import FailedOpens, Files
from kubectl_podtrace.wire.histogram import BUCKETS, midpoint
from kubectl_podtrace.wire.lifecycle_records import Lifetimes
from kubectl_podtrace.wire.lock_records import Locks
from kubectl_podtrace.wire.memory_records import CgroupMemory, MemoryProcesses
from kubectl_podtrace.wire.query_records import ClientLibraries, Queries
from kubectl_podtrace.wire.records import (
    ErrorRow,
    Errors,
    Exits,
    Processes,
    Targets,
    TotalsRow,
)
from kubectl_podtrace.wire.search_records import DnsEmpty, ResolverSettings
from kubectl_podtrace.wire.stack_records import CpuFunctions, CpuStacks, Frames, OffCpuStacks, Stacks

CAPACITY: Final = 20_000
"""The most keys a table keeps; rows of further keys are counted and left out."""

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


class Table(Generic[Key, Row]):
    """The newest row of each key. `counters` name the fields that never fall."""

    def __init__(self, key: Callable[[Row], Key], counters: tuple[str, ...], capacity: int = CAPACITY) -> None:
        self.rows: dict[Key, Row] = {}
        self.left_out = 0
        self.broken = 0
        self._key = key
        self._counters = counters
        self._capacity = capacity
        self._told_ns: dict[Key, int] = {}

    def update(self, row: Row, *, late: bool, at_ns: int = 0) -> bool:
        """Takes a row of a line of a time in and says whether it was taken.

        A counter that fell breaks the row, unless the row is late; a late row without a greater counter is older.
        """
        key = self._key(row)
        if not self._counters:
            return self._update_fact(key, row, late=late, at_ns=at_ns)
        known = self.rows.get(key)
        if known is None:
            if len(self.rows) >= self._capacity:
                self.left_out += 1
                return False
            self.rows[key] = row
            return True
        values = [(getattr(known, name), getattr(row, name)) for name in self._counters]
        if all(before <= now for before, now in values) and not (late and all(before == now for before, now in values)):
            self.rows[key] = row
            return True
        if not late:
            self.broken += 1
        return False

    def _update_fact(self, key: Key, row: Row, *, late: bool, at_ns: int) -> bool:
        """A late row can still be newer than what is known of its key.

        A full table of facts, which add up to nothing, forgets the one that was heard of longest ago.
        """
        if late and key in self.rows and at_ns <= self._told_ns[key]:
            return False
        self.rows.pop(key, None)
        if len(self.rows) >= self._capacity:
            oldest = next(iter(self.rows))
            del self.rows[oldest], self._told_ns[oldest]
        self.rows[key] = row
        self._told_ns[key] = at_ns
        return True


TOTALS_COUNTERS: Final = (
    "count", "errors", "would_block", "interrupted", "bytes", "messages", "timed", "slow", "sum_ns",
)  # fmt: skip
TOTALS_MAXIMA: Final = ("max_ns", "max_bytes")


@dataclass(frozen=True, kw_only=True)
class TableFields:
    """The fields of a keyed table's rows that tell one key from another, and those that never fall.

    A row without counters is a fact: the newest one holds, and a difference keeps it. `histogram` names a field that
    is a flat list of buckets.
    """

    key: tuple[str, ...]
    counters: tuple[str, ...]
    histogram: str = ""


KEYED: Final[Mapping[type[Any], TableFields]] = {
    Errors: TableFields(key=("scope", "operation", "errno"), counters=("count",)),
    Files: TableFields(key=("scope", "key"), counters=("operations", "bytes", "slow", "total_ns", "opened")),
    FailedOpens: TableFields(key=("scope", "key"), counters=("failed",)),
    Targets: TableFields(
        key=("scope", "address", "port"), counters=("attempts", "failed", "established", "handshake_ns")
    ),
    Processes: TableFields(key=("scope", "node_pid", "start_ns"), counters=("events",)),
    Exits: TableFields(key=("scope", "comm", "code", "signal"), counters=("count",)),
    Lifetimes: TableFields(key=("scope", "comm", "code", "signal"), counters=("count", "oom_kills", "lifetime_ns")),
    DnsNames: TableFields(
        key=("scope", "key"), counters=("lookups", "answers", "errors", "nxdomain", "timeouts", "total_ns")
    ),
    DnsEmpty: TableFields(key=("scope", "key"), counters=("empty_aaaa",)),
    ResolverSettings: TableFields(key=("scope",), counters=()),
    OneShots: TableFields(key=("scope", "address", "port"), counters=("connections", "handshake_ns")),
    DnsTypes: TableFields(key=("scope", "query_type"), counters=("count",)),
    DnsCodes: TableFields(key=("scope", "code"), counters=("count",)),
    Resolvers: TableFields(
        key=("scope", "address", "port"), counters=("lookups", "answers", "timeouts", "sum_ns"), histogram="buckets"
    ),
    AddressNames: TableFields(key=("scope", "address"), counters=()),
    CpuProcesses: TableFields(key=("scope", "node_pid", "start_ns"), counters=("on_cpu_ns", "switches", "samples")),
    Locks: TableFields(
        key=("scope", "node_pid", "start_ns", "address"), counters=("waits", "held", "timeouts", "sum_ns")
    ),
    Throttling: TableFields(key=("scope",), counters=("periods", "throttled", "total_ns")),
    MemoryProcesses: TableFields(key=("scope", "node_pid", "start_ns"), counters=("minor_faults", "major_faults")),
    CgroupMemory: TableFields(key=("scope",), counters=()),
    Queries: TableFields(key=("scope", "key"), counters=("count", "errors", "sum_ns"), histogram="buckets"),
    ClientLibraries: TableFields(key=("scope", "path", "protocol"), counters=()),
    DescriptorTables: TableFields(key=("scope", "node_pid", "start_ns"), counters=()),
    DescriptorOpeners: TableFields(key=("scope", "node_pid", "start_ns", "key"), counters=()),
    Frames: TableFields(key=("key",), counters=()),
    CpuFunctions: TableFields(key=("scope", "frame"), counters=("samples",)),
    CpuStacks: TableFields(key=("scope", "key"), counters=("samples",)),
    OffCpuStacks: TableFields(key=("scope", "key"), counters=("count", "total_ns"), histogram="buckets"),
    Stacks: TableFields(key=("scope", "key"), counters=("count", "total_ns"), histogram="buckets"),
}
"""The keyed tables by their kind of record: one line here makes a new kind part of every state and window."""

OperationKey = tuple[int, str]
Buckets = Mapping[int, int]


@dataclass(frozen=True, kw_only=True)
class State:
    """All cumulative values at one moment; `at_ns` is monotonic. Its mappings must not be changed."""

    at_ns: int
    totals: Mapping[OperationKey, TotalsRow] = field(default_factory=dict)
    histograms: Mapping[OperationKey, Buckets] = field(default_factory=dict)
    tables: Mapping[type[Any], Mapping[Any, Any]] = field(default_factory=dict)

    @property
    def errors(self) -> Mapping[tuple[int, str, int], ErrorRow]:
        """Error counts by scope, operation and number."""
        return self.tables.get(Errors, {})


def difference(later: State, earlier: State) -> State:
    """What happened between two states. A maximum that did not rise is that of the fullest bucket that grew."""
    histograms = {
        key: _bucket_difference(buckets, earlier.histograms.get(key, {})) for key, buckets in later.histograms.items()
    }
    totals = {
        key: _totals_difference(row, earlier.totals.get(key), histograms.get(key, {}))
        for key, row in later.totals.items()
    }
    return State(
        at_ns=later.at_ns,
        totals=totals,
        histograms=histograms,
        tables={
            record: _row_difference(rows, earlier.tables.get(record, {}), KEYED[record])
            for record, rows in later.tables.items()
        },
    )


def summed(rows: Iterable[TotalsRow]) -> dict[str, tuple[int, ...]]:
    """Operation → its counters over all scopes: sums, and the largest of each maximum. Not those all zero."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        counters = sums.setdefault(row.operation, [0] * len(TOTALS_COUNTERS + TOTALS_MAXIMA))
        for position, name in enumerate(TOTALS_COUNTERS):
            counters[position] += getattr(row, name)
        for position, name in enumerate(TOTALS_MAXIMA, start=len(TOTALS_COUNTERS)):
            counters[position] = max(counters[position], getattr(row, name))
    return {operation: tuple(counters) for operation, counters in sums.items() if any(counters)}


def valid_buckets(flat: tuple[int, ...]) -> Buckets | None:
    """Bucket → count of a histogram record's flat list; None when the list is not one."""
    numbers, counts = flat[0::2], flat[1::2]
    if len(numbers) != len(counts) or any(number >= BUCKETS for number in numbers):
        return None
    return dict(zip(numbers, counts, strict=True))


def _bucket_difference(later: Buckets, earlier: Buckets) -> Buckets:
    if later is earlier:
        return {}
    grown = {bucket: number - earlier.get(bucket, 0) for bucket, number in later.items()}
    return {bucket: number for bucket, number in grown.items() if number > 0}


def _totals_difference(later: TotalsRow, earlier: TotalsRow | None, grown: Buckets) -> TotalsRow:
    if earlier is None:
        return later
    longest = later.max_ns
    if longest == earlier.max_ns:
        longest = min(longest, midpoint(max(grown))) if grown else 0
    change: TotalsRow = replace(_minus(later, earlier, TOTALS_COUNTERS), max_ns=longest)
    return change


def _row_difference(later: Mapping[Key, Row], earlier: Mapping[Key, Row], fields: TableFields) -> dict[Key, Row]:
    counters = fields.counters
    if not counters:
        return dict(later)
    grown: dict[Key, Row] = {}
    for key, row in later.items():
        before = earlier.get(key)
        if before is row:
            continue
        change = row if before is None else _minus(row, before, counters)
        if not any(getattr(change, name) for name in counters):
            continue
        if fields.histogram and before is not None:
            change = _without_buckets(change, before, fields.histogram)
        grown[key] = change
    return grown


def _without_buckets(later: Any, earlier: Any, name: str) -> Any:
    """A row whose histogram holds only what an earlier one does not."""
    grown = _bucket_difference(valid_buckets(getattr(later, name)) or {}, valid_buckets(getattr(earlier, name)) or {})
    return replace(later, **{name: tuple(number for pair in sorted(grown.items()) for number in pair)})


def _minus(later: Any, earlier: Any, counters: tuple[str, ...]) -> Any:
    return replace(later, **{name: getattr(later, name) - getattr(earlier, name) for name in counters})
