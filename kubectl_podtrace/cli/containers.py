"""Which container is which while a pod is traced: restarts bring new ids, and the API forgets the old ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final, Protocol

from kubectl_podtrace.cluster.pods import Pod
from kubectl_podtrace.cluster.target import ENDED_PHASES, Target
from kubectl_podtrace.errors import PodtraceError
from kubectl_podtrace.report.build import TargetInfo
from kubectl_podtrace.wire.records import Scope

_PAUSE_S: Final = 2.0
_TRIES: Final = 8
"""The kubelet tells of a container some seconds after its start; of the pod's sandbox it never does."""
_MAX_IDS: Final = 1_000


class PodReader(Protocol):
    """The part of a cluster that is needed here."""

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        """The pod, or None."""


class Containers:
    """Names for the container ids of a trace; asks the cluster when there is a new one. `clock` is in seconds."""

    def __init__(self, *, found: Target, cluster: PodReader, narrowed: bool, clock: Callable[[], float]) -> None:
        self._found = found
        self._cluster = cluster
        self._narrowed = narrowed
        self._clock = clock
        self._names = {each.container_id: each.name for each in found.containers if each.container_id}
        self._tries: dict[str, int] = {}
        self._next_look = 0.0

    @property
    def target_info(self) -> TargetInfo:
        """The target as far as it is known now."""
        return TargetInfo(
            namespace=self._found.namespace,
            pods=(self._found.pod,),
            containers=tuple(container.name for container in self._found.containers),
            nodes=(self._found.node,),
            container_names=dict(self._names),
            selected=frozenset(self._found.selected) if self._narrowed else None,
        )

    def look_up(self, scopes: Collection[Scope]) -> None:
        """Learn the names of new containers, now and then and not for ever."""
        ids = {scope.container_id for scope in scopes if scope.container_id}
        unknown = [each for each in ids if each not in self._names and self._tries.get(each, 0) < _TRIES]
        if not unknown or len(ids) > _MAX_IDS or self._clock() < self._next_look:
            return
        self._next_look = self._clock() + _PAUSE_S
        for each in unknown:
            self._tries[each] = self._tries.get(each, 0) + 1
        try:
            pod = self._cluster.get_pod(self._found.namespace, self._found.pod)
        except PodtraceError:
            return
        for container in () if pod is None else pod.containers:
            if container.container_id:
                self._names[container.container_id] = container.name


def end_of(found: Target, cluster: PodReader) -> Iterator[str]:
    """What has become of the pod by the end of its trace, if that explains why there is not more to report."""
    try:
        pod = cluster.get_pod(found.namespace, found.pod)
    except PodtraceError:
        return
    if pod is None or pod.deleting or pod.cgroup_uid != found.uid:
        yield f"pod {found.pod} was deleted while it was traced"
    elif pod.phase in ENDED_PHASES:
        yield f"pod {found.pod} ended while it was traced ({pod.reason or pod.phase})"
