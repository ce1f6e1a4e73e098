"""Which container is which while a pod is traced: restarts bring new ids, and the API forgets the old ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol

from kubectl_podtrace.cluster.pods import Container, Pod
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
        self._names: dict[str, str] = {}
        self._learn(found.containers)
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
        if pod is not None:
            self._learn(pod.containers)

    def look_last(self) -> str:
        """Learn what is to be known at the trace's end; says what became of the pod, if it is not as it was."""
        pod_name = self._found.pod
        try:
            pod = self._cluster.get_pod(self._found.namespace, pod_name)
        except PodtraceError:
            return ""
        if pod is None or pod.deleting or pod.cgroup_uid != self._found.uid:
            return f"pod {pod_name} was deleted while it was traced"
        self._learn(pod.containers)
        return f"pod {pod_name} ended while it was traced ({pod.phase})" if pod.phase in ENDED_PHASES else ""

    def _learn(self, containers: Iterable[Container]) -> None:
        for container in containers:
            for known in (container.previous_id, container.container_id):
                if known:
                    self._names[known] = container.name
