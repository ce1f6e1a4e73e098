"""How far a report can be trusted: what was lost where, and whether the stream's parts agree with each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.cost import ShedProbes, cost
from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.selection import failures
from kubectl_podtrace.analysis.tables import State
from kubectl_podtrace.wire.records import LostRow
from kubectl_podtrace.wire.request import CLIENT_GONE
from kubectl_podtrace.wire.topics import BYPASSES, EVERY_TOPIC

BYPASSING: Final = {
    "io_uring.transfer": "reads and writes through io_uring",
    "io_uring.message": "sends and receives through io_uring",
    "io_uring.accept": "accepts through io_uring",
    "io_uring.name": "opens, fsyncs, unlinks and renames through io_uring",
    "io_uring.close": "closes through io_uring",
    "io_uring.unknown": "requests to io_uring of a kind that this version does not know",
}
"""The operations of `topics.BYPASSES` in words."""

COUNTED_APART: Final = frozenset({"processes.exec", "dns.lookup", "queries.postgresql", "queries.mysql"})
"""Operations whose errors by number need not add up: a count of successes alone, errors that have no number."""


TOPICS_OF_TABLES: Final = {
    "processes": "processes", "exits": "processes", "files": "files", "failed_opens": "files", "targets": "connections",
    "cpu_processes": "cpu", "long_waits": "cpu", "lock_threads": "locks", "dns_names": "dns", "dns_types": "dns",
    "resolvers": "dns", "queries": "queries",
}  # fmt: skip
"""Each table of the tracer, and the topic whose lists it holds."""


@dataclass(frozen=True, kw_only=True)
class DatedGap:
    """Lines that did not arrive, and when the last line before them was written."""

    at: datetime
    lines: int


@dataclass(frozen=True, kw_only=True)
class ProbeState:
    """One attachment, made or not, and what its absence costs."""

    name: str
    topic: str
    attached: bool
    required: bool
    costs: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Something that was not kept, the topic it touches, and how often."""

    source: str
    topic: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Bypass:
    """Operations that were seen and are in no number of these topics; `what` they are, in words."""

    operation: str
    what: str
    topics: tuple[str, ...]
    count: int


@dataclass(frozen=True, kw_only=True)
class TableUse:
    """How full a table of the tracer is; `unlisted` operations are in the totals and in `(other)` alone."""

    table: str
    topic: str
    keys: int
    capacity: int
    unlisted: int


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The section `trust`. `suppressed` counts single events that were not shown singly.

    `complete` says that the stream is whole and agrees with itself. `bypassed` operations are no loss of the stream's.
    `notes` says in words what keeps the report from being complete, `remarks` what changed no total.
    """

    complete: bool
    lost: int
    dropped: int
    gaps: tuple[DatedGap, ...]
    truncated: bool
    noise_lines: int
    probes: tuple[ProbeState, ...]
    lost_by: tuple[Loss, ...]
    dropped_by: tuple[Loss, ...]
    bypassed: tuple[Bypass, ...]
    suppressed: dict[str, int]
    tables: tuple[TableUse, ...]
    duplicates: int
    broken_rows: int
    notes: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def missing_lines(self) -> int:
        """How many lines did not arrive, in all gaps together."""
        return sum(gap.lines for gap in self.gaps)

    @property
    def bypassed_operations(self) -> int:
        """How many operations were seen and are in no number."""
        return sum(bypass.count for bypass in self.bypassed)


def trust(fold: Fold, scopes: frozenset[int] | None = None, *, is_running: bool = False) -> Trust:
    """The section `trust` of a stream, as far as it has been folded. What bypassed the counting is told of `scopes`."""
    heartbeat = fold.heartbeat
    lost = heartbeat.lost if heartbeat else ()
    dropped = heartbeat.dropped if heartbeat else ()
    notes = _notes(fold, is_running=is_running)
    return Trust(
        complete=fold.trailer is not None and not notes,
        lost=sum(row.count for row in lost),
        dropped=sum(row.count for row in dropped),
        gaps=tuple(DatedGap(at=fold.wall_clock(gap.at_ns), lines=gap.lines) for gap in fold.gaps),
        truncated=fold.trailer is None,
        noise_lines=fold.noise_lines,
        probes=tuple(
            ProbeState(
                name=probe.name,
                topic=probe.topic,
                attached=probe.attached,
                required=probe.required,
                costs=probe.costs,
                reason=probe.reason,
            )
            for probe in fold.probes.values()
        ),
        lost_by=_losses(lost),
        dropped_by=_losses(dropped),
        bypassed=_bypassed(fold, scopes),
        suppressed={row.operation: row.count for row in heartbeat.suppressed if row.count} if heartbeat else {},
        tables=tuple(
            TableUse(
                table=row.table,
                topic=TOPICS_OF_TABLES.get(row.table, EVERY_TOPIC),
                keys=row.keys,
                capacity=row.capacity,
                unlisted=row.unlisted,
            )
            for row in (heartbeat.tables if heartbeat else ())
        ),
        duplicates=fold.duplicates,
        broken_rows=fold.broken_rows,
        notes=notes,
        remarks=_remarks(fold),
    )


def _bypassed(fold: Fold, scopes: frozenset[int] | None) -> tuple[Bypass, ...]:
    traced = fold.header.topics if fold.header else ()
    counts = dict.fromkeys(BYPASSES, 0)
    for (scope, operation), row in fold.totals.items():
        if operation in counts and (scopes is None or scope in scopes):
            counts[operation] += row.count
    lacking = {name: tuple(topic for topic in BYPASSES[name] if topic in traced) for name in counts}
    return tuple(
        Bypass(operation=name, what=BYPASSING[name], topics=lacking[name], count=count)
        for name, count in counts.items()
        if count and lacking[name]
    )


def _losses(rows: tuple[LostRow, ...]) -> tuple[Loss, ...]:
    return tuple(Loss(source=row.source, topic=row.topic, count=row.count) for row in rows if row.count)


def _notes(fold: Fold, *, is_running: bool) -> tuple[str, ...]:
    """What keeps the report from being complete, in words."""
    notes: list[str] = []
    if fold.header is None:
        return ("the tracer sent no header: nothing can be read",)
    if is_running:
        notes.append("the trace is still running")
    elif fold.trailer is None:
        when = units.wall_clock(fold.wall_clock(fold.newest_ns))
        notes.append(f"the stream ended without its trailer: numbers are as of {when}")
    elif fold.trailer_mismatches:
        operations = units.counted(fold.trailer_mismatches, "operation")
        notes.append(f"the trailer counts {operations} differently: their last lines did not arrive")
    notes.extend(shed_note(shed) for shed in cost(fold).shed)
    if fold.broken_rows:
        notes.append(f"{units.counted(fold.broken_rows, 'row')} contradicted earlier ones and went uncounted")
    if fold.left_out_rows:
        notes.append(f"{units.counted(fold.left_out_rows, 'row')} found no place in this program's tables")
    if fold.trailer is not None:
        notes.extend(_final_snapshot(fold, fold.trailer.ended_ns))
    return tuple(notes)


def shed_note(shed: ShedProbes) -> str:
    """What `notes` says of probes that were given up."""
    share, limit = units.ratio(shed.overhead_ratio), units.ratio_threshold(shed.limit_ratio)
    return (
        f"{', '.join(shed.topics)}: from {units.clock(shed.at)} UTC on {shed.lacks}, "
        f"since tracing took {share} of the node (limit {limit})"
    )


def _final_snapshot(fold: Fold, ended_ns: int) -> list[str]:
    """What is missing of the final snapshot, which follows the detach and should make everything agree."""
    notes: list[str] = []
    missing = sum(gap.lines for gap in fold.gaps if gap.at_ns >= ended_ns)
    if missing:
        notes.append(
            f"{units.counted(missing, 'line')} of the final snapshot did not arrive: "
            "lists may lack what is newest, their rest is in (other)"
        )
    latencies, errors = _disagreements(fold.state())
    if latencies:
        notes.append(f"percentiles of {units.counted(latencies, 'operation')} lack durations that the totals count")
    if errors:
        notes.append(f"errors of {units.counted(errors, 'operation')} are counted, but not all by name")
    return notes


def _disagreements(state: State) -> tuple[int, int]:
    """In how many (scope, operation) histograms and errors by number do not add up to the totals."""
    errors: dict[tuple[int, str], int] = {}
    for (scope, operation, _), row in state.errors.items():
        errors[scope, operation] = errors.get((scope, operation), 0) + row.count
    latencies = sum(row.timed != sum(state.histograms.get(key, {}).values()) for key, row in state.totals.items())
    checked = {key: row for key, row in state.totals.items() if key[1] not in COUNTED_APART}
    return latencies, sum(failures(key[1], row) != errors.get(key, 0) for key, row in checked.items())


def _remarks(fold: Fold) -> tuple[str, ...]:
    """What a reader may wonder about although it changed no total."""
    notes: list[str] = []
    if fold.trailer is not None and fold.trailer.reason == CLIENT_GONE:
        notes.append("the tracer heard nothing more from this program and ended the trace before its time")
    lines = sum(gap.lines for gap in fold.gaps)
    if lines:
        notes.append(
            f"{units.counted(lines, 'line')} did not arrive: totals are cumulative and not touched, "
            "timeline, peaks and patterns do not know of that time"
        )
    if fold.early_lines:
        notes.append(
            f"{units.counted(fold.early_lines, 'line')} came before the header and went unread: "
            "what they counted is counted again by later ones"
        )
    if fold.unknown_lines:
        notes.append(f"{units.counted(fold.unknown_lines, 'line')} of a newer tracer went unread")
    return tuple(notes)
