"""What happened to the pod while it was traced: what the cluster said of it, joined with what the tracer saw itself.

The cluster's times are whole seconds, the tracer's are exact; both are of the node's clock. Where both saw the end of a
container's run, the tracer's time holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from kubectl_podtrace.analysis.ends import SIGKILL, ProcessEnd
from kubectl_podtrace.analysis.pod_history import ContainerRun, Occurrence, PodHistory
from kubectl_podtrace.analysis.selection import LISTED, most_frequent_first
from kubectl_podtrace.analysis.wall_clock import wall_clock

Kind = Literal["start", "end", "oom_kill", "process_kill", "probe_failure", "eviction", "deletion", "warning", "remark"]
Witness = Literal["cluster", "tracer"]

OOM_KILLED: Final = "OOMKilled"
_SIGNAL_BASE: Final = 128
"""Runtimes tell of a signal as an exit code that is so much higher."""
_SAME_END: Final = timedelta(seconds=2)
_SAME_MOMENT: Final = timedelta(seconds=1)
_PROBE_FAILURES: Final = frozenset({"Unhealthy", "ProbeWarning"})
_EVICTIONS: Final = frozenset({"Evicted", "Preempted", "Preempting", "TaintManagerEviction"})
_REMARKS: Final = frozenset({"Killing", "SandboxChanged"})
"""Events of type Normal that are told all the same. Starts are known from the containers' states."""
_EXIT_BY_SIGNAL: Final = 128
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One thing that happened, or one that was repeated: `count` times from `at` to `last_at`.

    `at` is null where only the fact is known. `oom_kill` is the end of a run for which the cluster gives that reason;
    a `process_kill` has that reason where the kernel killed for memory.
    `killed` are processes that ended by SIGKILL, by name; of a run's end, those that went with it.
    """

    at: datetime | None
    kind: Kind
    container: str | None = None
    run: int | None = None
    reason: str = ""
    text: str = ""
    exit_code: int | None = None
    signal: int | None = None
    killed: dict[str, int] = field(default_factory=dict)
    count: int = 1
    last_at: datetime | None = None
    seen_by: tuple[Witness, ...] = ("cluster",)

    @property
    def ended_by(self) -> int:
        """The signal that ended a run, also where only its exit code tells; 0: none did."""
        return self.signal or max((self.exit_code or 0) - _EXIT_BY_SIGNAL, 0)


@dataclass(frozen=True, kw_only=True)
class PodTimeline:
    """The section `kubernetes_events`: the newest incidents, in their order; `left_out` others found no place."""

    incidents: tuple[Incident, ...]
    left_out: int

    @property
    def unasked_ends(self) -> tuple[Incident, ...]:
        """Runs that ended with an error though nobody had asked for it: before any deletion of the pod."""
        deletions = [entry for entry in self.incidents if entry.kind == "deletion"]
        asked_at = deletions[0].at if deletions else None
        return tuple(
            entry
            for entry in self.incidents
            if entry.exit_code and not (deletions and (asked_at is None or entry.at is None or entry.at >= asked_at))
        )


@dataclass(frozen=True, kw_only=True)
class SeenEnd:
    """An end of a process that the tracer saw, by the node's wall clock."""

    at: datetime
    process: ProcessEnd


SeenEnds = Mapping[str, tuple[SeenEnd, ...]]
"""By container id, in the order of time."""


@dataclass(frozen=True, kw_only=True)
class SettledRun:
    """A run on which cluster and tracer agree; `killed` are the processes that were killed with its end."""

    run: ContainerRun
    killed: tuple[SeenEnd, ...] = ()
    seen_by: tuple[Witness, ...] = ("cluster",)


def seen_ends(ends: Iterable[ProcessEnd], container_ids: Mapping[int, str], realtime_offset_ns: int) -> SeenEnds:
    """What the tracer saw in each container; `container_ids` are those of the scopes."""
    found: dict[str, list[SeenEnd]] = {}
    for end in sorted(ends, key=lambda each: each.at_ns):
        container_id = container_ids.get(end.scope)
        if container_id:
            at = wall_clock(end.at_ns + realtime_offset_ns)
            found.setdefault(container_id, []).append(SeenEnd(at=at, process=end))
    return {container_id: tuple(each) for container_id, each in found.items()}


def settled(history: PodHistory, seen: SeenEnds) -> tuple[SettledRun, ...]:
    """The runs that the cluster told of, with the exact time of each end that the tracer saw.

    Where the cluster did not tell of an end, because the pod or the run's successor was there first, the tracer does.
    """
    newest: dict[str, int] = {}
    for run in history.runs:
        newest[run.container] = max(run.number, newest.get(run.container, 0))
    return tuple(
        _settled(
            run, seen.get(run.container_id, ()), is_over=bool(history.deletion) or run.number < newest[run.container]
        )
        for run in history.runs
    )


def _settled(run: ContainerRun, ends: tuple[SeenEnd, ...], *, is_over: bool) -> SettledRun:
    fitting = [end for end in ends if end.process.is_first and _fits(run, end)] if run.has_ended or is_over else []
    if fitting:
        last = fitting[-1]
        witnesses: tuple[Witness, ...] = ("cluster", "tracer") if run.has_ended else ("tracer",)
        code = run.exit_code if run.has_ended else _exit_code(last.process)
        run = replace(run, ended_at=last.at, exit_code=code, signal=last.process.signal or run.signal)
        killed = _killed(ends, last.at - _SAME_MOMENT, last.at + _SAME_MOMENT)
        return SettledRun(run=run, killed=killed, seen_by=witnesses)
    if run.ended_at is None:
        return SettledRun(run=run)
    return SettledRun(run=run, killed=_killed(ends, run.ended_at - _SAME_END, run.ended_at + _SAME_END))


def _fits(run: ContainerRun, end: SeenEnd) -> bool:
    """Whether an end can be this run's. Containers within the container have first processes, too."""
    if run.exit_code is None:
        return True
    near = run.ended_at is None or abs(run.ended_at - end.at) <= _SAME_END
    return near and run.exit_code == _exit_code(end.process)


def _exit_code(process: ProcessEnd) -> int:
    return _SIGNAL_BASE + process.signal if process.signal else process.code


def _killed(ends: tuple[SeenEnd, ...], first: datetime, last: datetime) -> tuple[SeenEnd, ...]:
    return tuple(end for end in ends if _was_killed(end) and first <= end.at <= last)


def _was_killed(end: SeenEnd) -> bool:
    return end.process.signal == SIGKILL and not end.process.is_first


def pod_timeline(
    history: PodHistory,
    seen: SeenEnds,
    runs: tuple[SettledRun, ...],
    *,
    start: datetime,
    end: datetime,
    left_out: int,
) -> PodTimeline:
    """What happened from `start` to `end` to these settled runs. `left_out` are ends that were seen and nobody kept."""
    # The cluster cuts fractions of a second off.
    first = start.replace(microsecond=0)
    found = [
        *(each for run in runs for each in _of_run(run) if _is_within(each, first, end)),
        *_repeated(_of_cluster(history, first, end), runs),
        *(each for each in _kills(runs, seen) if _is_within(each, first, end)),
    ]
    if history.deletion:
        found.append(Incident(at=history.deletion.asked_at, kind="deletion"))
    found.sort(key=_order)
    kept = found[-LISTED:]
    return PodTimeline(incidents=tuple(kept), left_out=history.left_out + left_out + len(found) - len(kept))


def _is_within(each: Incident, first: datetime, last: datetime) -> bool:
    return each.at is not None and first <= each.at <= last


def _order(each: Incident) -> tuple[datetime, int, int, datetime]:
    """By time; within a second, which may be all that is known, in the order in which things follow from another."""
    at = each.at or _END_OF_TIME
    rank = {"start": 1, "process_kill": 2, "end": 3, "oom_kill": 3}.get(each.kind, 0)
    return at.replace(microsecond=0), each.run or 0, rank, at


def _of_run(settled_run: SettledRun) -> Iterator[Incident]:
    run = settled_run.run
    if run.started_at:
        yield Incident(at=run.started_at, kind="start", container=run.container, run=run.number)
    if run.exit_code is None:
        return
    yield Incident(
        at=run.ended_at,
        kind="oom_kill" if run.reason == OOM_KILLED else "end",
        container=run.container,
        run=run.number,
        reason=run.reason,
        exit_code=run.exit_code,
        signal=run.signal or None,
        killed=_names(settled_run.killed),
        seen_by=settled_run.seen_by,
    )


def _names(ends: Iterable[SeenEnd]) -> dict[str, int]:
    return most_frequent_first(Counter(end.process.comm for end in ends))


def _kills(runs: tuple[SettledRun, ...], seen: SeenEnds) -> Iterator[Incident]:
    """Processes that were killed while their container went on; several at once are one incident."""
    for each in runs:
        rest = [end for end in seen.get(each.run.container_id, ()) if _was_killed(end) and end not in each.killed]
        while rest:
            alike = [end for end in rest if end.process.for_memory == rest[0].process.for_memory]
            together = [end for end in alike if end.at - rest[0].at <= _SAME_MOMENT]
            rest = [end for end in rest if end not in together]
            yield Incident(
                at=together[0].at,
                kind="process_kill",
                container=each.run.container,
                run=each.run.number,
                reason=OOM_KILLED if together[0].process.for_memory else "",
                signal=SIGKILL,
                killed=_names(together),
                count=len(together),
                last_at=together[-1].at if len(together) > 1 else None,
                seen_by=("tracer",),
            )


def _of_cluster(history: PodHistory, first: datetime, last: datetime) -> Iterator[tuple[datetime, Occurrence]]:
    """What was reported in this time and since when, in order; what began before counts from its start."""
    found: list[tuple[datetime, Occurrence]] = []
    for each in history.occurrences:
        if each.last_at is None or each.last_at < first or _kind(each) is None:
            continue
        since = max(each.first_at or each.last_at, first)
        if since <= last:
            found.append((since, each))
    yield from sorted(found, key=lambda pair: pair[0])


def _repeated(found: Iterable[tuple[datetime, Occurrence]], runs: tuple[SettledRun, ...]) -> Iterator[Incident]:
    """What is the same but for its time is one incident, as long as no run of its container ended in between."""
    incidents: dict[tuple[str, str, str, int], Incident] = {}
    for at, each in found:
        ended = sum(
            settled_run.run.container == each.container and (settled_run.run.ended_at or _END_OF_TIME) < at
            for settled_run in runs
        )
        key = (each.reason, each.message, each.container, ended)
        known = incidents.get(key)
        incidents[key] = (
            replace(known, count=known.count + each.count, last_at=each.last_at) if known else _incident(at, each)
        )
    yield from incidents.values()


def _incident(at: datetime, each: Occurrence) -> Incident:
    return Incident(
        at=at,
        kind=_kind(each) or "remark",
        container=each.container or None,
        reason=each.reason,
        text=each.message,
        count=each.count,
        last_at=each.last_at if each.count > 1 else None,
    )


def _kind(each: Occurrence) -> Kind | None:
    if each.reason in _PROBE_FAILURES:
        return "probe_failure"
    if each.reason in _EVICTIONS:
        return "eviction"
    if each.warning:
        return "warning"
    return "remark" if each.reason in _REMARKS else None
