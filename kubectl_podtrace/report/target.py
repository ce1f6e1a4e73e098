"""What the report is about: the target as the plugin knows it, its containers, their runs, and the scopes of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kubectl_podtrace import units
from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.analysis.pod_history import PodHistory
from kubectl_podtrace.analysis.pod_timeline import PodTimeline, SeenEnds, SettledRun, pod_timeline, seen_ends, settled
from kubectl_podtrace.analysis.tables import State
from kubectl_podtrace.report.model import ContainerEvents, ContainerRunEvents, Remark, Target

SHORT_ID_CHARS = 12


@dataclass(frozen=True, kw_only=True)
class TargetInfo:
    """What the plugin knows of the target; a cluster's fields or local mode's, the others stay empty.

    `container_names` maps container id → name (newest state of the pod: restarts bring new ids). `selected` names the
    containers that the report is about; None: all of them. `history` is what the cluster said of the pod meanwhile;
    None where there is no cluster. `was_ended`: podtrace itself ended the command. `is_alive`: there
    was a process in local mode's cgroup in the end; None where nobody looked.
    """

    namespace: str | None = None
    pods: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    container_names: Mapping[str, str] = field(default_factory=dict)
    selected: frozenset[str] | None = None
    history: PodHistory | None = None
    pid: int | None = None
    cgroup: str | None = None
    command: tuple[str, ...] | None = None
    exit_status: int | None = None
    was_ended: bool = False
    is_alive: bool | None = None

    @property
    def was_running(self) -> bool | None:
        """Whether it ran in the end: the pod, by the cluster's newest word, or what local mode looked at."""
        if self.history is None:
            return self.is_alive
        ours = [run for run in self.history.runs if self.selected is None or run.container in self.selected]
        return self.history.phase == "Running" and any(not run.has_ended for run in ours) if ours else None


class TracedContainers:
    """The containers of a stream under the names that the target has for them, whatever part of the trace is looked at.

    `scopes` are those that the report is about, all runs of each container; None: all.
    """

    def __init__(self, fold: Fold, target: TargetInfo) -> None:
        self._fold = fold
        self._target = target
        self._ids = {index: scope.container_id for index, scope in fold.scopes.items()}
        self._known = {index: target.container_names.get(container_id) for index, container_id in self._ids.items()}
        self._ends = self._seen_ends()
        self._runs = settled(target.history or PodHistory(), self._ends)
        self.scopes = None if target.selected is None else self._selected(target.selected)

    def name_of(self, scope: int) -> str:
        """A container by its name, else its short id; nothing where it has neither."""
        return self._known.get(scope) or self._short_id(scope)

    @property
    def were_seen(self) -> bool:
        """Whether any of those that the report is about appeared in the stream."""
        return bool(self._ids if self.scopes is None else self.scopes)

    @property
    def names(self) -> dict[int, str]:
        """The container of each scope: by its name, or where that is not known by its short id."""
        return {index: self.name_of(index) for index in self._ids}

    def target(self, events: Counter[int]) -> Target:
        """The section `target`; `events` by scope."""
        target, header = self._target, self._fold.header
        # A pod's sandbox has neither a name nor events.
        met = sorted(index for index, name in self._known.items() if events[index] or name is not None)
        runs = self._container_runs([index for index in met if self.scopes is None or index in self.scopes], events)
        sums, seen = Counter[str](), Counter[str]()
        for run in runs:
            sums[run.name] += run.events
            seen[run.name] += 1
        return Target(
            namespace=target.namespace,
            pods=target.pods,
            containers=self._names(met),
            nodes=target.nodes or ((header.node,) if header and header.node else ()),
            kernel=header.kernel if header else None,
            pid=target.pid,
            cgroup=target.cgroup,
            command=target.command,
            exit_status=target.exit_status,
            container_events=tuple(
                ContainerEvents(name=name, runs=seen[name], events=number) for name, number in sums.items() if name
            ),
            container_runs=tuple(run for run in runs if run.name),
        )

    def timeline(self, start: datetime | None, end: datetime | None) -> PodTimeline | None:
        """The section `kubernetes_events`; None without a cluster, and where the trace never began."""
        history = self._target.history
        if history is None or start is None or end is None or not self._fold.started_ns:
            return None
        left_out = self._fold.ends.left_out
        return pod_timeline(history, self._ends, self._runs, start=start, end=end, left_out=left_out)

    def unknown(self, events: Counter[int]) -> tuple[Remark, ...]:
        """What a narrowed report leaves out without knowing whose it is; `events` by scope."""
        if self.scopes is None:
            return ()
        unknown = [index for index, name in self._known.items() if name is None]
        number = sum(events[index] for index in unknown)
        if not number:
            return ()
        ids = ", ".join(sorted({self._short_id(index) for index in unknown if self._short_id(index)})) or "no id"
        text = f"{units.counted(number, 'event')} of containers not known by name ({ids}) are not in this report"
        return (Remark(slug="unknown-containers", text=text),)

    def _seen_ends(self) -> SeenEnds:
        header = self._fold.header
        return seen_ends(self._fold.ends.found, self._ids, header.realtime_offset_ns) if header else {}

    def _selected(self, names: frozenset[str]) -> frozenset[int]:
        return frozenset(index for index, name in self._known.items() if name in names)

    def _container_runs(self, scopes: list[int], events: Counter[int]) -> list[ContainerRunEvents]:
        """An entry for each scope: containers in the order of their first runs here, and the runs of each in theirs."""
        known = {each.run.container_id: each for each in self._runs}
        names = {index: self.name_of(index) for index in scopes}
        first = {name: index for index, name in reversed(names.items())}
        found = [
            (first[name], _container_run(name, self._ids[index], events[index], known)) for index, name in names.items()
        ]
        return [run for _, run in sorted(found, key=lambda pair: (pair[0], pair[1].run or 0))]

    def _names(self, met: list[int]) -> tuple[str, ...]:
        """The containers that the report is about, in the pod's order, then those known by id alone."""
        target = self._target
        if target.selected is not None:
            listed = [name for name in target.containers if name in target.selected]
            return (*listed, *sorted(target.selected.difference(listed)))
        seen = [self.name_of(index) for index in met]
        return tuple(dict.fromkeys((*target.containers, *(name for name in seen if name))))

    def _short_id(self, index: int) -> str:
        return self._ids.get(index, "")[:SHORT_ID_CHARS]


def events_by_scope(state: State, counted: frozenset[str]) -> Counter[int]:
    """What counts as events in this trace, by scope."""
    events = Counter[int]()
    for (index, operation), row in state.totals.items():
        if operation in counted:
            events[index] += row.count
    return events


def _container_run(name: str, container_id: str, events: int, known: Mapping[str, SettledRun]) -> ContainerRunEvents:
    settled_run = known.get(container_id)
    run = settled_run.run if settled_run else None
    return ContainerRunEvents(
        name=name,
        container_id=container_id,
        run=run.number if run else None,
        started=run.started_at if run else None,
        ended=run.ended_at if run else None,
        reason=run.reason if run else "",
        exit_code=run.exit_code if run else None,
        signal=(run.signal or None) if run else None,
        events=events,
    )
