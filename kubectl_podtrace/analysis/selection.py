"""The folded numbers of the containers that a report is about, added up over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kubectl_podtrace.analysis.climbs import Climbs
from kubectl_podtrace.analysis.errno_names import errno_name
from kubectl_podtrace.analysis.growth import GROUPS, Group, Growth, edges_of, operations_of
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.tables import State, valid_buckets
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.histogram import lower_bound, percentile
from kubectl_podtrace.wire.records import Existing, TotalsRow
from kubectl_podtrace.wire.topics import EVENT_OPERATIONS

LISTED: Final = 100
"""So many entries a list of a report holds; the rest is added up under `OTHER`."""
OTHER: Final = "(other)"


@dataclass(frozen=True, kw_only=True)
class Dist:
    """A distribution of durations in nanoseconds; count, sum and maximum are exact, percentiles within 3.2 %.

    `buckets` is its histogram: how many fell into each bucket that is not empty, by the bucket's lower bound. Where it
    was read a moment before or after the count, they do not add up to it.
    """

    count: int
    sum_ns: int
    avg_ns: int
    max_ns: int
    p50_ns: int
    p95_ns: int
    p99_ns: int
    buckets: dict[int, int]


@dataclass(frozen=True, kw_only=True)
class Op:
    """An operation: `count` holds successes and errors, not calls that would have blocked or were interrupted."""

    count: int
    per_s: float
    bytes: int
    errors: dict[str, int]
    would_block: int
    interrupted: int
    latency: Dist

    @property
    def failed(self) -> int:
        """How many of `count` ended with an error."""
        return sum(self.errors.values())


@dataclass(frozen=True, kw_only=True)
class SlowOp(Op):
    """An operation on files; `slow` ones took longer than the threshold."""

    slow: int


@dataclass(kw_only=True)
class Counters:
    """One operation's counters, added up over scopes; maxima are the largest."""

    count: int = 0
    errors: int = 0
    would_block: int = 0
    interrupted: int = 0
    bytes: int = 0
    timed: int = 0
    slow: int = 0
    sum_ns: int = 0
    max_ns: int = 0
    max_bytes: int = 0

    def add(self, row: TotalsRow) -> None:
        """Adds the counters of one scope."""
        self.count += row.count
        self.errors += row.errors
        self.would_block += row.would_block
        self.interrupted += row.interrupted
        self.bytes += row.bytes
        self.timed += row.timed
        self.slow += row.slow
        self.sum_ns += row.sum_ns
        self.max_ns = max(self.max_ns, row.max_ns)
        self.max_bytes = max(self.max_bytes, row.max_bytes)


NOTHING: Final = Counters()


def failures(operation: str, counters: Counters | TotalsRow) -> int:
    """How many of an operation's count should have an error number: each `connections.failure` is one by itself."""
    return counters.count if operation == "connections.failure" else counters.errors


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What happened in the selected scopes between two moments (monotonic).

    `errors` maps operation → error number → count, `tables` a kind of record → its rows. `growth` is how the
    counters of some operations grew, `climbs` which descriptors kept growing, both also outside of the two moments;
    `is_window` says that the trace went on after the second. `ends` are the moments from which on some operations were
    not counted, `partial` says by section of the report what is lacking then. Wall-clock time is monotonic time +
    `realtime_offset_ns`. `scope_names` are the containers' by scope.
    """

    start_ns: int
    end_ns: int
    counters: Mapping[str, Counters]
    histograms: Mapping[str, Mapping[int, int]]
    errors: Mapping[str, Mapping[int, int]]
    tables: Mapping[type[Any], tuple[Any, ...]] = field(default_factory=dict)
    existing: Existing | None = None
    growth: Mapping[Group, Growth] = field(default_factory=lambda: dict.fromkeys(GROUPS, Growth()))
    climbs: Climbs = field(default_factory=Climbs)
    is_window: bool = False
    event_operations: frozenset[str] = EVENT_OPERATIONS
    ends: Mapping[str, int] = field(default_factory=dict)
    partial: Mapping[str, tuple[Partial, ...]] = field(default_factory=dict)
    realtime_offset_ns: int = 0
    scope_names: Mapping[int, str] = field(default_factory=dict)

    def partial_of(self, section: str) -> tuple[Partial, ...]:
        """What the numbers of a section of the report lack."""
        return self.partial.get(section, ())

    def while_counted(self, *operations: str) -> Selection:
        """The same numbers over the time in which all of these operations were counted: rates are of that time."""
        ends = [self.ends[name] for name in operations if name in self.ends]
        return replace(self, end_ns=max(min(self.end_ns, *ends), self.start_ns)) if ends else self

    @property
    def duration_s(self) -> float:
        """How long it lasted, in seconds."""
        return max(self.end_ns - self.start_ns, 0) / SECOND_NS

    def per_s(self, amount: float) -> float:
        """An amount as a rate over the whole time; 0 when no time passed."""
        return amount / self.duration_s if self.duration_s > 0 else 0.0

    def of(self, operation: str) -> Counters:
        """The counters of an operation, by its full name."""
        return self.counters.get(operation, NOTHING)

    def rows(self, record: type[Any]) -> tuple[Any, ...]:
        """The rows of a keyed table, by its kind of record."""
        return self.tables.get(record, ())

    @property
    def events(self) -> int:
        """All operations that count as events."""
        return sum(counters.count for name, counters in self.counters.items() if name in self.event_operations)

    def errors_by_name(self, operation: str) -> dict[str, int]:
        """An operation's errors by name, the most frequent first; those whose number is not known as `UNKNOWN`."""
        by_number = self.errors.get(operation, {})
        found = Counter[str]()
        for number, count in by_number.items():
            found[errno_name(number)] += count
        unknown = failures(operation, self.of(operation)) - sum(by_number.values())
        if unknown > 0:
            found["UNKNOWN"] += unknown
        return most_frequent_first(found)

    def latency(self, operation: str) -> Dist:
        """The distribution of an operation's durations."""
        counters = self.of(operation)
        return distribution(
            count=counters.timed,
            sum_ns=counters.sum_ns,
            max_ns=counters.max_ns,
            buckets=self.histograms.get(operation, {}),
        )

    def operation(self, name: str) -> Op:
        """An operation's numbers, by its full name."""
        counters = self.of(name)
        return Op(
            count=counters.count,
            per_s=self.while_counted(name).per_s(counters.count),
            bytes=counters.bytes,
            errors=self.errors_by_name(name),
            would_block=counters.would_block,
            interrupted=counters.interrupted,
            latency=self.latency(name),
        )

    def amounts(self, group: Group, edges: Sequence[int], *, in_bytes: bool = False) -> tuple[int | None, ...]:
        """How much of a group fell between each two neighbours of ascending moments; None where no line tells.

        Nothing at all of a time that is without end.
        """
        total = None if self.is_window else self._total(group, in_bytes=in_bytes)
        found = self.growth[group].amounts(edges, total=total, in_bytes=in_bytes)
        return (None,) * max(len(edges) - 1, 0) if found is None else found

    def peak_per_s(self, group: Group, *, in_bytes: bool = False) -> float:
        """The most that fell into one window of 1 s, the last of which may be shorter; a shorter trace's average."""
        average = self.per_s(self._total(group, in_bytes=in_bytes))
        if self.duration_s < 1:
            return average
        found = self.amounts(group, edges_of(self.start_ns, self.end_ns, SECOND_NS), in_bytes=in_bytes)
        return max([average, *(float(amount) for amount in found if amount is not None)])

    def _total(self, group: Group, *, in_bytes: bool) -> int:
        operations = operations_of(group, self.event_operations)
        rows = [counters for name, counters in self.counters.items() if name in operations]
        return sum(row.bytes if in_bytes else row.count for row in rows)


def most_frequent_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Names and how often each, in the order in which every list of a report shows them."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def distribution(*, count: int, sum_ns: int, max_ns: int, buckets: Mapping[int, int]) -> Dist:
    """A distribution from its exact count, sum and maximum and its histogram."""
    p50, p95, p99 = (percentile(buckets, fraction, max_ns) for fraction in (0.50, 0.95, 0.99))
    return Dist(
        count=count,
        sum_ns=sum_ns,
        avg_ns=round(sum_ns / count) if count else 0,
        max_ns=max_ns,
        p50_ns=p50,
        p95_ns=p95,
        p99_ns=p99,
        buckets={lower_bound(bucket): buckets[bucket] for bucket in sorted(buckets) if buckets[bucket]},
    )


NOT_TIMED: Final = distribution(count=0, sum_ns=0, max_ns=0, buckets={})
"""Of things that happened, and nobody knows how long they took."""


@dataclass(kw_only=True)
class Durations:
    """Durations added up over the rows of a table."""

    count: int = 0
    sum_ns: int = 0
    max_ns: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, *, count: int, sum_ns: int, max_ns: int, buckets: tuple[int, ...]) -> None:
        """Adds those of a row; `buckets` is its flat list."""
        self.count += count
        self.sum_ns += sum_ns
        self.max_ns = max(self.max_ns, max_ns)
        _add(self.buckets, valid_buckets(buckets) or {})

    def dist(self) -> Dist:
        """Their distribution."""
        return distribution(count=self.count, sum_ns=self.sum_ns, max_ns=self.max_ns, buckets=self.buckets)


def select(
    state: State,
    scopes: frozenset[int] | None,
    *,
    start_ns: int,
    end_ns: int,
    existing: Existing | None = None,
    growth: Mapping[Group, Growth] | None = None,
    climbs: Climbs | None = None,
    is_window: bool = False,
    event_operations: frozenset[str] = EVENT_OPERATIONS,
    ends: Mapping[str, int] | None = None,
    partial: Mapping[str, tuple[Partial, ...]] | None = None,
    realtime_offset_ns: int = 0,
) -> Selection:
    """The numbers of some scopes (None: of all) out of a state, added up."""

    def chosen(scope: int | None) -> bool:
        # What belongs to no container in particular is for all.
        return scopes is None or scope is None or scope in scopes

    counters: dict[str, Counters] = {}
    for (scope, operation), row in state.totals.items():
        if chosen(scope):
            counters.setdefault(operation, Counters()).add(row)
    histograms: dict[str, dict[int, int]] = {}
    for (scope, operation), buckets in state.histograms.items():
        if chosen(scope):
            _add(histograms.setdefault(operation, {}), buckets)
    return Selection(
        start_ns=start_ns,
        end_ns=end_ns,
        counters=counters,
        histograms=histograms,
        errors=_errors(state, chosen),
        tables={
            record: tuple(row for row in rows.values() if chosen(getattr(row, "scope", None)))
            for record, rows in state.tables.items()
        },
        existing=existing,
        growth=growth or dict.fromkeys(GROUPS, Growth()),
        climbs=climbs or Climbs(),
        is_window=is_window,
        event_operations=event_operations,
        ends=ends or {},
        partial=partial or {},
        realtime_offset_ns=realtime_offset_ns,
    )


def _errors(state: State, chosen: Callable[[int], bool]) -> dict[str, dict[int, int]]:
    errors: dict[str, dict[int, int]] = {}
    for (scope, operation, number), error in state.errors.items():
        if chosen(scope):
            _add(errors.setdefault(operation, {}), {number: error.count})
    return errors


def _add(sums: dict[int, int], more: Mapping[int, int]) -> None:
    for key, number in more.items():
        sums[key] = sums.get(key, 0) + number
