"""Folds a stream, line by line, into its newest cumulative values and the account of its own completeness."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from kubectl_podtrace.analysis.activity import ActivityBook
from kubectl_podtrace.analysis.climbs import Climbs
from kubectl_podtrace.analysis.ends import Ends
from kubectl_podtrace.analysis.sequence import Gap, Place, Sequence
from kubectl_podtrace.analysis.tables import (
    CAPACITY,
    KEYED,
    TOTALS_COUNTERS,
    TOTALS_MAXIMA,
    Buckets,
    OperationKey,
    State,
    Table,
    summed,
    valid_buckets,
)
from kubectl_podtrace.analysis.wall_clock import wall_clock
from kubectl_podtrace.errors import IncompatibleTracerError
from kubectl_podtrace.wire.activity_records import Activity
from kubectl_podtrace.wire.codec import Line, Noise, UnknownKind, decode
from kubectl_podtrace.wire.cost_records import Cost, Shed
from kubectl_podtrace.wire.descriptor_records import DescriptorTableRow
from kubectl_podtrace.wire.records import (
    Errors,
    Event,
    Existing,
    Exits,
    Header,
    Heartbeat,
    Histogram,
    Notice,
    Probe,
    Record,
    Refusal,
    Scope,
    Totals,
    TotalsRow,
    Trailer,
)
from kubectl_podtrace.wire.version import READABLE_VERSIONS, WIRE_VERSION

RECENT_EVENTS: Final = 200
MAX_REMARKS: Final = 100
WINDOW_SECONDS: Final = 6
"""States of so many newest seconds are kept, so that a window of 5 s always has its beginning."""


class Fold:
    """What is known of a trace after the lines fed so far. Memory is bounded, whatever the stream holds."""

    def __init__(self, on_event: Callable[[Event], None] = lambda _event: None) -> None:
        """`on_event` is given each single event once."""
        self._on_event = on_event
        self.header: Header | None = None
        self.trailer: Trailer | None = None
        self.refusal: Refusal | None = None
        self.heartbeat: Heartbeat | None = None
        self.cost: Cost | None = None
        self.existing: Existing | None = None
        self.scopes: dict[int, Scope] = {}
        self.probes: dict[str, Probe] = {}
        self.sheds: dict[str, Shed] = {}
        self.notices: dict[tuple[str, str], Notice] = {}
        self.recent_events: deque[Event] = deque(maxlen=RECENT_EVENTS)
        self.lines = self.bytes = 0
        self.noise_lines = self.duplicates = self.unknown_lines = self.early_lines = 0
        self.trailer_mismatches = 0
        self.activity = ActivityBook()
        self.climbs = Climbs()
        self.ends = Ends()
        self.detailed_ns = 0
        """The time of the newest line with a histogram or a list (monotonic): they come together, every few seconds."""
        self._sequence = Sequence()
        self._gap_ns = 0
        self._histograms: dict[OperationKey, Buckets] = {}
        self._broken_histograms = 0
        self._states: deque[State] = deque(maxlen=WINDOW_SECONDS)
        self._totals = Table[OperationKey, TotalsRow](
            lambda row: (row.scope, row.operation), TOTALS_COUNTERS + TOTALS_MAXIMA
        )
        self._tables = {
            record: Table[Any, Any](attrgetter(*fields.key), fields.counters) for record, fields in KEYED.items()
        }

    def feed(self, data: bytes) -> Line | UnknownKind | Noise:
        """Takes one line in and returns what it was; raises IncompatibleTracerError for another wire version."""
        self.lines += 1
        self.bytes += len(data)
        decoded = decode(data)
        match decoded:
            case Noise():
                self.noise_lines += 1
            case UnknownKind():
                self.unknown_lines += 1
                if self.header is not None:
                    self._place(decoded.seq, self._sequence.newest_ns)
            case Line():
                self._take_line(decoded)
        return decoded

    @property
    def started_ns(self) -> int:
        """When the last probe was attached (monotonic); 0 while that is not known."""
        return self.header.started_ns if self.header else 0

    @property
    def ended_ns(self) -> int:
        """When the probes were detached, or the time of the newest line where the trailer is missing (monotonic)."""
        return max(self.trailer.ended_ns if self.trailer else self._sequence.newest_ns, self.started_ns)

    @property
    def newest_ns(self) -> int:
        """The time of the newest line (monotonic)."""
        return self._sequence.newest_ns

    def wall_clock(self, at_ns: int) -> datetime:
        """The node's date at a time of the stream (monotonic)."""
        return wall_clock(at_ns + (self.header.realtime_offset_ns if self.header else 0))

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Runs of lines that did not arrive."""
        return self._sequence.gaps

    @property
    def broken_rows(self) -> int:
        """Rows that contradicted earlier ones (a counter that fell) or themselves; they were ignored."""
        return self._broken_histograms + self.activity.broken + sum(table.broken for table in self._all_tables())

    @property
    def left_out_rows(self) -> int:
        """Rows of keys beyond what a table holds; they were ignored."""
        return sum(table.left_out for table in self._all_tables())

    @property
    def states(self) -> tuple[State, ...]:
        """The states at the newest heartbeats, oldest first."""
        return tuple(self._states)

    @property
    def totals(self) -> Mapping[OperationKey, TotalsRow]:
        """The counters of each operation now; the next line may change them, `state` keeps them."""
        return self._totals.rows

    def state(self) -> State:
        """All cumulative values now."""
        return State(
            at_ns=self._sequence.newest_ns,
            totals=dict(self._totals.rows),
            histograms=dict(self._histograms),
            tables={record: dict(table.rows) for record, table in self._tables.items()},
        )

    def _all_tables(self) -> tuple[Table[Any, Any], ...]:
        return (self._totals, *self._tables.values())

    def _place(self, seq: int, at_ns: int) -> Place:
        before, expected = self._sequence.newest_ns, self._sequence.next
        place = self._sequence.place(seq, at_ns)
        if place is Place.NEW and seq > expected:
            self._gap_ns = before
        if place is Place.DUPLICATE:
            self.duplicates += 1
        return place

    def _take_line(self, line: Line) -> None:
        record = line.record
        if isinstance(record, Header) and record.wire_version not in READABLE_VERSIONS:
            raise IncompatibleTracerError(
                theirs=record.wire_version, ours=WIRE_VERSION, tracer_version=record.tracer_version
            )
        if self.header is None and not isinstance(record, Header | Refusal):
            # Nothing says yet how to read it. It stays missing in the sequence; the next record of its key heals it.
            self.early_lines += 1
            return
        place = self._place(line.seq, line.at_ns)
        if place is not Place.DUPLICATE:
            self._take(record, line.at_ns, late=place is Place.LATE)

    def _take(self, record: Record, at_ns: int, *, late: bool) -> None:
        match record:
            case Totals():
                self._take_totals(record.rows, at_ns, late=late)
            case Activity():
                if not late:
                    self.activity.add_readings(record, started_ns=self.started_ns)
            case Histogram():
                self.detailed_ns = max(self.detailed_ns, at_ns)
                self._take_histogram(record, late=late)
            case Header() | Heartbeat() | Cost() | Trailer():
                self._take_frame(record, late=late)
            case Notice() | Shed():
                self._take_remark(record)
            case Scope() | Probe() | Existing() | Refusal() | Event():
                self._take_fact(record)
            case _:
                self._take_rows(record, at_ns, late=late)

    def _take_rows(self, record: Any, at_ns: int, *, late: bool) -> None:
        if not isinstance(record, Errors | Exits):
            # Those come with the totals.
            self.detailed_ns = max(self.detailed_ns, at_ns)
        for row in record.rows:
            is_newest = self._tables[type(record)].update(row, late=late, at_ns=at_ns)
            if is_newest and isinstance(row, DescriptorTableRow):
                self.climbs.add(row, at_ns, self.started_ns)

    def _take_frame(self, record: Header | Heartbeat | Cost | Trailer, *, late: bool) -> None:
        match record:
            case Header():
                if not late or self.header is None:
                    self.header = record
            case Heartbeat():
                self._take_heartbeat(record, late=late)
            case Cost():
                self.cost = self.cost if late else record
            case Trailer():
                self._take_trailer(record)

    def _take_remark(self, record: Notice | Shed) -> None:
        match record:
            case Notice():
                if len(self.notices) < MAX_REMARKS:
                    self.notices[record.slug, record.text] = record
            case Shed():
                # Each is given up once, and told again and again.
                if len(self.sheds) < MAX_REMARKS:
                    self.sheds.setdefault(record.lacks, record)

    def _take_fact(self, record: Scope | Probe | Existing | Refusal | Event) -> None:
        match record:
            case Event():
                self.recent_events.append(record)
                self.ends.add(record)
                self._on_event(record)
            case Scope():
                self.scopes[record.index] = record
            case Probe():
                if record.name in self.probes or len(self.probes) < CAPACITY:
                    self.probes[record.name] = record
            case Existing():
                self.existing = record
            case Refusal():
                self.refusal = record

    def _take_totals(self, rows: tuple[TotalsRow, ...], at_ns: int, *, late: bool) -> None:
        for row in rows:
            self._take_total(row, at_ns, late=late)

    def _take_total(self, row: TotalsRow, at_ns: int, *, late: bool) -> None:
        if self._totals.update(row, late=late) and not late:
            self.activity.add_total(row, at_ns, started_ns=self.started_ns, gap_ns=self._gap_ns)

    def _take_histogram(self, record: Histogram, *, late: bool) -> None:
        buckets = valid_buckets(record.buckets)
        key = (record.scope, record.operation)
        known = self._histograms.get(key)
        if buckets is None or (known is None and len(self._histograms) >= CAPACITY):
            self._broken_histograms += 1
            return
        known = known or {}
        if any(number < known.get(bucket, 0) for bucket, number in buckets.items()):
            self._broken_histograms += not late
            return
        # A new mapping each time: states that are kept share the old one.
        self._histograms[key] = {**known, **buckets}

    def _take_heartbeat(self, record: Heartbeat, *, late: bool) -> None:
        if late:
            return
        self.heartbeat = record
        self._states.append(self.state())

    def _take_trailer(self, record: Trailer) -> None:
        """Counters only grow, so sums over scopes agree exactly when every scope's counter does."""
        self.trailer = record
        self.heartbeat = record.heartbeat
        ours, theirs = summed(self._totals.rows.values()), summed(record.totals)
        self.trailer_mismatches = sum(ours.get(name) != theirs.get(name) for name in ours.keys() | theirs.keys())
