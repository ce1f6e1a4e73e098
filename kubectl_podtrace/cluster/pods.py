"""What the plugin needs to know of a pod, a node and their events, read from the API's objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

ContainerKind = Literal["app", "init", "ephemeral"]

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
HASH_ANNOTATION = "kubernetes.io/config.hash"
DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Not started yet, or between two starts; `reason` is the kubelet's word, such as `ErrImagePull`."""

    reason: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Running:
    """Its process runs."""


@dataclass(frozen=True, kw_only=True)
class Terminated:
    """It ended, and was not started again (yet)."""

    reason: str = ""
    message: str = ""
    exit_code: int = 0


ContainerState = Waiting | Running | Terminated


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a pod; ids have no runtime prefix, and are empty before the first start (or restart)."""

    name: str
    kind: ContainerKind = "app"
    image: str = ""
    container_id: str = ""
    previous_id: str = ""
    state: ContainerState = Waiting()
    restart_count: int = 0
    reported: bool = False
    """Whether the kubelet has said anything about it."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod; `uid` is the API's, `cgroup_uid` the one in its cgroup's name (they differ for static pods)."""

    namespace: str
    name: str
    uid: str
    cgroup_uid: str
    node: str
    phase: str
    reason: str
    message: str
    deleting: bool
    ready: bool
    created: str
    annotations: Mapping[str, str]
    containers: tuple[Container, ...]
    unscheduled_why: str = ""

    def container(self, name: str) -> Container | None:
        """The container of that name, whatever its kind."""
        return next((container for container in self.containers if container.name == name), None)


@dataclass(frozen=True, kw_only=True)
class PodEvent:
    """One event about a pod."""

    reason: str
    message: str
    warning: bool


class NodeCondition(Enum):
    """What is known of a node."""

    READY = "ready"
    NOT_READY = "not ready"
    GONE = "gone"
    UNKNOWN = "unknown"


def pod_from_api(raw: Mapping[str, Any]) -> Pod:
    """Read a Pod object; absent fields read as empty."""
    meta, spec, status = _section(raw, "metadata"), _section(raw, "spec"), _section(raw, "status")
    annotations = {str(key): str(value) for key, value in _section(meta, "annotations").items()}
    uid = str(meta.get("uid") or "")
    conditions = {str(c.get("type")): c for c in status.get("conditions") or []}
    scheduled = conditions.get("PodScheduled", {})
    return Pod(
        namespace=str(meta.get("namespace") or ""),
        name=str(meta.get("name") or ""),
        uid=uid,
        cgroup_uid=annotations.get(MIRROR_ANNOTATION) or annotations.get(HASH_ANNOTATION) or uid,
        node=str(spec.get("nodeName") or ""),
        phase=str(status.get("phase") or ""),
        reason=str(status.get("reason") or ""),
        message=str(status.get("message") or ""),
        deleting=bool(meta.get("deletionTimestamp")),
        ready=conditions.get("Ready", {}).get("status") == "True",
        created=str(meta.get("creationTimestamp") or ""),
        annotations=annotations,
        containers=(
            *_containers(spec.get("containers"), status.get("containerStatuses"), "app"),
            *_containers(spec.get("initContainers"), status.get("initContainerStatuses"), "init"),
            *_containers(spec.get("ephemeralContainers"), status.get("ephemeralContainerStatuses"), "ephemeral"),
        ),
        unscheduled_why=str(scheduled.get("message") or "") if scheduled.get("status") == "False" else "",
    )


def event_from_api(raw: Mapping[str, Any]) -> PodEvent:
    """Read an Event object."""
    return PodEvent(
        reason=str(raw.get("reason") or ""),
        message=str(raw.get("message") or ""),
        warning=raw.get("type") == "Warning",
    )


def node_condition_from_api(raw: Mapping[str, Any]) -> NodeCondition:
    """Read a Node object's Ready condition."""
    conditions = _section(raw, "status").get("conditions") or []
    ready = next((c for c in conditions if c.get("type") == "Ready"), None)
    if ready is None:
        return NodeCondition.UNKNOWN
    return NodeCondition.READY if ready.get("status") == "True" else NodeCondition.NOT_READY


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return raw.get(key) or {}


def _containers(specs: Any, statuses: Any, kind: ContainerKind) -> list[Container]:
    by_name = {status.get("name"): status for status in statuses or []}
    return [_container(spec, by_name.get(spec.get("name")), kind) for spec in specs or []]


def _container(spec: Mapping[str, Any], status: Mapping[str, Any] | None, kind: ContainerKind) -> Container:
    known = status or {}
    return Container(
        name=str(spec.get("name") or ""),
        kind=kind,
        image=str(spec.get("image") or ""),
        container_id=_id(known),
        previous_id=_id(_section(_section(known, "lastState"), "terminated")),
        state=_state(_section(known, "state")),
        restart_count=int(known.get("restartCount") or 0),
        reported=status is not None,
    )


def _id(raw: Mapping[str, Any]) -> str:
    return str(raw.get("containerID") or "").rpartition("://")[2]


def _state(raw: Mapping[str, Any]) -> ContainerState:
    if raw.get("running") is not None:
        return Running()
    if raw.get("terminated") is not None:
        ended = raw["terminated"]
        return Terminated(
            reason=str(ended.get("reason") or ""),
            message=str(ended.get("message") or ""),
            exit_code=int(ended.get("exitCode") or 0),
        )
    waiting = raw.get("waiting") or {}
    return Waiting(reason=str(waiting.get("reason") or ""), message=str(waiting.get("message") or ""))
