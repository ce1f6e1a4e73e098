"""What the plugin needs to know of a pod, a node and their events, read from the API's objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal

ContainerKind = Literal["app", "init", "ephemeral"]

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
HASH_ANNOTATION = "kubernetes.io/config.hash"
DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"
ENDED_PHASES: Final = ("Succeeded", "Failed")

_FIELD_PATH: Final = re.compile(r"\{(.+)\}$")
"""Of `spec.containers{api}`, the container that an event is about."""
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2500, 1, 1, tzinfo=UTC)
"""A kubelet writes the epoch for a time that it does not know; what is written by others can be anything."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Not started yet, or between two starts; `reason` is the kubelet's word, such as `ErrImagePull`."""

    reason: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Running:
    """Its process runs."""

    started_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Terminated:
    """One run that ended; times are the node's, to the second."""

    reason: str = ""
    message: str = ""
    exit_code: int = 0
    signal: int = 0
    container_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


ContainerState = Waiting | Running | Terminated


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a pod; ids have no runtime prefix, and are empty before the first start (or restart)."""

    name: str
    kind: ContainerKind = "app"
    image: str = ""
    container_id: str = ""
    state: ContainerState = Waiting()
    last_end: Terminated | None = None
    """The newest run that ended: the one before, or between two runs the one of `container_id`."""
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
    deletion_asked_at: datetime | None = None
    runtime_class: str = ""

    def container(self, name: str) -> Container | None:
        """The container of that name, whatever its kind."""
        return next((container for container in self.containers if container.name == name), None)


@dataclass(frozen=True, kw_only=True)
class PodEvent:
    """One event about a pod, or (then `count` is more than 1) many that differ in time only."""

    reason: str
    message: str
    warning: bool
    uid: str = ""
    pod_uid: str = ""
    container: str = ""
    count: int = 1
    first_at: datetime | None = None
    last_at: datetime | None = None


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
        deletion_asked_at=_deletion_asked_at(meta),
        runtime_class=str(spec.get("runtimeClassName") or ""),
    )


def event_from_api(raw: Mapping[str, Any]) -> PodEvent:
    """Read an Event object; newer reporters fill in `eventTime` and `series` in place of the older fields."""
    about, series = _section(raw, "involvedObject"), _section(raw, "series")
    container = _FIELD_PATH.search(str(about.get("fieldPath") or ""))
    first_at = time_from_api(raw.get("firstTimestamp")) or time_from_api(raw.get("eventTime"))
    last_at = time_from_api(series.get("lastObservedTime")) or time_from_api(raw.get("lastTimestamp"))
    return PodEvent(
        reason=str(raw.get("reason") or ""),
        message=str(raw.get("message") or ""),
        warning=raw.get("type") == "Warning",
        uid=str(_section(raw, "metadata").get("uid") or ""),
        pod_uid=str(about.get("uid") or ""),
        container=container.group(1) if container else "",
        count=max(_whole(series.get("count")), _whole(raw.get("count")), 1),
        first_at=first_at,
        last_at=last_at or first_at,
    )


def time_from_api(text: object) -> datetime | None:
    """A time as the API writes it (RFC 3339); None for none, and for one that is not known."""
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return when if _EARLIEST <= when <= _LATEST else None


def node_condition_from_api(raw: Mapping[str, Any]) -> NodeCondition:
    """Read a Node object's Ready condition."""
    return ready_condition_from_api(raw)[0]


def ready_condition_from_api(raw: Mapping[str, Any]) -> tuple[NodeCondition, str]:
    """Read a Node object's Ready condition, and what is said of it when it is not ready."""
    conditions = _section(raw, "status").get("conditions") or []
    ready = next((c for c in conditions if c.get("type") == "Ready"), None)
    if ready is None:
        return NodeCondition.UNKNOWN, ""
    if ready.get("status") == "True":
        return NodeCondition.READY, ""
    return NodeCondition.NOT_READY, str(ready.get("message") or ready.get("reason") or "")


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
        state=_state(_section(known, "state")),
        last_end=_terminated(_section(known, "lastState").get("terminated")),
        restart_count=int(known.get("restartCount") or 0),
        reported=status is not None,
    )


def _id(raw: Mapping[str, Any]) -> str:
    return str(raw.get("containerID") or "").rpartition("://")[2]


def _state(raw: Mapping[str, Any]) -> ContainerState:
    if raw.get("running") is not None:
        return Running(started_at=time_from_api(raw["running"].get("startedAt")))
    waiting = raw.get("waiting") or {}
    return _terminated(raw.get("terminated")) or Waiting(
        reason=str(waiting.get("reason") or ""), message=str(waiting.get("message") or "")
    )


def _terminated(ended: Mapping[str, Any] | None) -> Terminated | None:
    if ended is None:
        return None
    return Terminated(
        reason=str(ended.get("reason") or ""),
        message=str(ended.get("message") or ""),
        exit_code=_whole(ended.get("exitCode")),
        signal=_whole(ended.get("signal")),
        container_id=_id(ended),
        started_at=time_from_api(ended.get("startedAt")),
        ended_at=time_from_api(ended.get("finishedAt")),
    )


def _deletion_asked_at(meta: Mapping[str, Any]) -> datetime | None:
    """The API's `deletionTimestamp` is when the pod's grace period will be over."""
    ends_at = time_from_api(meta.get("deletionTimestamp"))
    try:
        return ends_at and ends_at - timedelta(seconds=_whole(meta.get("deletionGracePeriodSeconds")))
    except OverflowError:
        return None  # a grace period of ages can be asked for


def _whole(number: object) -> int:
    return number if isinstance(number, int) else 0
