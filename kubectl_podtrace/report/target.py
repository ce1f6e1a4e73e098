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
from kubectl_podtrace.wire.topics import event_operations

SHORT_ID_CHARS = 12


@dataclass(frozen=True, kw_only=True)
class TargetInfo:
    """What the plugin knows of the target; a cluster's fields or local mode's, the others stay empty.

    `container_names` maps container id → name (newest state of the pod: restarts bring new ids); ids may carry their
    runtime's prefix (`containerd://`). `selected` names the containers that the report is about; None: all of them.
    `history` is what the cluster said of the pod meanwhile; None where there is no cluster.
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

    def container_of(self, container_id: str) -> str | None:
        """The name of the container with this id."""
        names = {known.rpartition("://")[2]: name for known, name in self.container_names.items()}
        return names.get(container_id)


def selected_scopes(fold: Fold, target: TargetInfo) -> frozenset[int] | None:
    """The scopes of the containers that the report is about, all their runs; None: all."""
    if target.selected is None:
        return None
    return frozenset(
        index for index, scope in fold.scopes.items() if target.container_of(scope.container_id) in target.selected
    )


def target_section(fold: Fold, state: State, target: TargetInfo, scopes: frozenset[int] | None) -> Target:
    """The section `target`."""
    met = _met_scopes(fold, _events_by_scope(fold, state), target)
    runs = _container_runs(fold, state, target, [index for index in met if scopes is None or index in scopes])
    events, seen = Counter[str](), Counter[str]()
    for run in runs:
        events[run.name] += run.events
        seen[run.name] += 1
    return Target(
        namespace=target.namespace,
        pods=target.pods,
        containers=_container_names(fold, met, target),
        nodes=target.nodes or ((fold.header.node,) if fold.header and fold.header.node else ()),
        kernel=fold.header.kernel if fold.header else None,
        pid=target.pid,
        cgroup=target.cgroup,
        command=target.command,
        exit_status=target.exit_status,
        container_events=tuple(
            ContainerEvents(name=name, runs=seen[name], events=number) for name, number in events.items() if name
        ),
        container_runs=tuple(run for run in runs if run.name),
    )


def timeline_section(
    fold: Fold, target: TargetInfo, start: datetime | None, end: datetime | None
) -> PodTimeline | None:
    """The section `kubernetes_events`; None without a cluster, and where the trace never began."""
    if target.history is None or start is None or end is None or not fold.started_ns:
        return None
    return pod_timeline(target.history, _seen(fold), start=start, end=end, left_out=fold.ends.left_out)


def unknown_containers(fold: Fold, state: State, target: TargetInfo) -> tuple[Remark, ...]:
    """What a narrowed report leaves out without knowing whose it is."""
    if target.selected is None:
        return ()
    unknown = {
        index: scope.container_id[:SHORT_ID_CHARS]
        for index, scope in fold.scopes.items()
        if target.container_of(scope.container_id) is None
    }
    events = sum(number for index, number in _events_by_scope(fold, state).items() if index in unknown)
    if not events:
        return ()
    ids = ", ".join(sorted({name for name in unknown.values() if name})) or "no id"
    text = f"{units.counted(events, 'event')} of containers not known by name ({ids}) are not in this report"
    return (Remark(slug="unknown-containers", text=text),)


def _container_runs(fold: Fold, state: State, target: TargetInfo, scopes: list[int]) -> list[ContainerRunEvents]:
    """An entry for each scope, by container in the order of their first run here, each container's runs in order."""
    events = _events_by_scope(fold, state)
    known = {each.run.container_id: each for each in settled(target.history or PodHistory(), _seen(fold))}
    names = {index: _scope_name(fold, target, index) for index in scopes}
    first = {name: index for index, name in reversed(names.items())}
    found = [
        (first[name], _container_run(name, fold.scopes[index].container_id, events[index], known))
        for index, name in names.items()
    ]
    return [run for _, run in sorted(found, key=lambda pair: (pair[0], pair[1].run or 0))]


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


def _seen(fold: Fold) -> SeenEnds:
    if fold.header is None:
        return {}
    ids = {index: scope.container_id for index, scope in fold.scopes.items()}
    return seen_ends(fold.ends.found, ids, fold.header.realtime_offset_ns)


def _container_names(fold: Fold, met: list[int], target: TargetInfo) -> tuple[str, ...]:
    """The containers that the report is about, in the pod's order, then those known by id alone."""
    if target.selected is not None:
        listed = [name for name in target.containers if name in target.selected]
        return (*listed, *sorted(target.selected.difference(listed)))
    seen = [_scope_name(fold, target, index) for index in met]
    return tuple(dict.fromkeys((*target.containers, *(name for name in seen if name))))


def _events_by_scope(fold: Fold, state: State) -> Counter[int]:
    """What counts as events in this trace, by scope."""
    counted, events = event_operations(fold.header.topics if fold.header else ()), Counter[int]()
    for (index, operation), row in state.totals.items():
        if operation in counted:
            events[index] += row.count
    return events


def _met_scopes(fold: Fold, events: Counter[int], target: TargetInfo) -> list[int]:
    """The scopes that have a name or events; a pod's sandbox has neither."""
    return sorted(
        index
        for index, scope in fold.scopes.items()
        if events[index] or target.container_of(scope.container_id) is not None
    )


def _scope_name(fold: Fold, target: TargetInfo, index: int) -> str:
    container_id = fold.scopes[index].container_id if index in fold.scopes else ""
    return target.container_of(container_id) or container_id[:SHORT_ID_CHARS]
