"""What the trace itself took of the node, and what was given up to keep that small."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.units import SECOND_NS
from kubectl_podtrace.wire.cost_records import Cost as CostRecord
from kubectl_podtrace.wire.cost_records import Shed
from kubectl_podtrace.wire.topics import TOPICS, TRANSFERS

_MILLION: Final = 10**6


@dataclass(frozen=True, kw_only=True)
class ProgramCost:
    """The program of one probe: its runs and their time, estimated from samples; `misses` are exact."""

    name: str
    runs: int
    run_ns: int
    misses: int


@dataclass(frozen=True, kw_only=True)
class ShedProbes:
    """Probes that were given up, because tracing took `overhead_ratio` of the node, which is above the limit.

    `cost_ratio` is what these probes took; `lacks` says in words what was not counted from then on, for `topics`.
    """

    at: datetime
    probes: tuple[str, ...]
    topics: tuple[str, ...]
    lacks: str
    overhead_ratio: float
    limit_ratio: float
    cost_ratio: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the trace took: the tracer's processor time and memory, and the bytes of its stream.

    `overhead_ratio` is the share of the node's CPU time that programs and tracer took together. The kernel measured the
    programs for `measured_ratio` of the time; what they took in all of it is estimated from that. Both, and `programs`,
    are null where nothing was measured.
    """

    tracer_cpu_s: float
    tracer_rss_bytes: int
    stream_bytes: int
    overhead_ratio: float | None
    measured_ratio: float | None
    programs: tuple[ProgramCost, ...] | None
    shed: tuple[ShedProbes, ...]


def cost(fold: Fold) -> Cost:
    """The section `cost` of a stream, as far as it has been folded."""
    heartbeat, known = fold.heartbeat, fold.cost
    measured = known if known is not None and known.measured_ns and known.wall_ns and known.cpus else None
    return Cost(
        tracer_cpu_s=heartbeat.cpu_ns / SECOND_NS if heartbeat else 0.0,
        tracer_rss_bytes=heartbeat.rss_bytes if heartbeat else 0,
        stream_bytes=max(heartbeat.stream_bytes if heartbeat else 0, fold.bytes),
        overhead_ratio=_overhead_ratio(measured) if measured else None,
        measured_ratio=min(measured.measured_ns / measured.wall_ns, 1.0) if measured else None,
        programs=_programs(measured) if measured else None,
        shed=_shed(fold),
    )


def partial_sections(fold: Fold, events: Collection[str]) -> dict[str, tuple[Partial, ...]]:
    """By section of the report: what its numbers lack, the earliest first. `events`: the operations of the summary."""
    found = {topic: _partials(fold, (shed for shed in _in_order(fold) if topic in shed.topics)) for topic in TOPICS}
    for section, operations in (("summary", events), ("timeline", events), ("network_io", TRANSFERS)):
        touching = [shed for shed in _in_order(fold) if set(shed.operations) & set(operations)]
        found[section] = _partials(fold, touching)
    # What a process did is of all topics.
    found["processes"] = tuple(dict.fromkeys((*found["processes"], *found["summary"])))
    return {section: partials for section, partials in found.items() if partials}


def ends_of_operations(fold: Fold) -> dict[str, int]:
    """Until when (monotonic) the operations were counted that were not counted to the end."""
    ends: dict[str, int] = {}
    for shed in _in_order(fold):
        for operation in shed.operations:
            ends.setdefault(operation, shed.shed_ns)
    return ends


def _in_order(fold: Fold) -> list[Shed]:
    return sorted(fold.sheds.values(), key=lambda shed: shed.shed_ns)


def _partials(fold: Fold, sheds: Iterable[Shed]) -> tuple[Partial, ...]:
    return tuple(Partial(until=fold.wall_clock(shed.shed_ns), lacks=shed.lacks) for shed in sheds)


def _overhead_ratio(record: CostRecord) -> float:
    return (record.tracer_ns + sum(row.run_ns for row in record.rows)) / (record.cpus * record.wall_ns)


def _programs(record: CostRecord) -> tuple[ProgramCost, ...]:
    return tuple(
        ProgramCost(name=row.program, runs=row.runs, run_ns=row.run_ns, misses=row.misses)
        for row in sorted(record.rows, key=lambda row: (-row.run_ns, row.program))
    )


def _shed(fold: Fold) -> tuple[ShedProbes, ...]:
    return tuple(
        ShedProbes(
            at=fold.wall_clock(shed.shed_ns),
            probes=shed.probes,
            topics=shed.topics,
            lacks=shed.lacks,
            overhead_ratio=shed.overhead_ppm / _MILLION,
            limit_ratio=shed.limit_ppm / _MILLION,
            cost_ratio=shed.cost_ppm / _MILLION,
        )
        for shed in _in_order(fold)
    )
