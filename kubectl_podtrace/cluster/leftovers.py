"""Tracer pods that outlived their trace: which they are, whose, and their removal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, Protocol

from kubectl_podtrace.cluster.pods import ENDED_PHASES
from kubectl_podtrace.cluster.tracer_pod import LEAVE_GRACE_S
from kubectl_podtrace.errors import PodtraceError
from kubectl_podtrace.names import (
    CLIENT_LABEL,
    SESSION_LABEL,
    TARGET_ANNOTATION,
    TRACER_CONTAINER,
    TRACER_SELECTOR,
    USER_ANNOTATION,
)

READ_ON: Final = timedelta(minutes=5)
"""Whoever follows a tracer's log gives up well before, so an end that is older than this has no reader any more."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Client(Enum):
    """What is known of the program that made a tracer pod."""

    RUNS = "is tracing"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class TracerPod:
    """A tracer pod as cleaning up sees it; times are the cluster's."""

    namespace: str
    name: str
    target: str
    node: str
    session: str
    client_id: str
    user: str
    created: datetime
    ended: datetime | None
    deadline: datetime | None

    def ended_by(self, now: datetime) -> datetime | None:
        """When it ended, None while it may run. A node that is gone never reports an end: the deadline has to do."""
        if self.ended is None and self.deadline is not None and self.deadline < now:
            return self.deadline
        return self.ended


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who asks: an id that this machine's user keeps, and who they are to the cluster; either may be empty."""

    client_id: str = ""
    user: str = ""

    def owns(self, pod: TracerPod) -> bool:
        """Whether a tracer pod was made from here, or by the same user elsewhere."""
        return bool(self.client_id and pod.client_id == self.client_id) or bool(self.user and pod.user == self.user)

    def made(self, pod: TracerPod) -> bool:
        """Whether it was made from here."""
        return bool(self.client_id) and pod.client_id == self.client_id


class CleanedCluster(Protocol):
    """The part of a cluster that cleaning up needs."""

    def list_tracer_pods(self, namespace: str | None, selector: str) -> tuple[TracerPod, ...]:
        """The tracer pods of a namespace, or of all of them."""

    def delete_pod(self, namespace: str, name: str, *, grace_s: int) -> bool:
        """Delete a pod; False when it was gone."""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What became of the pods that were to be removed."""

    removed: tuple[TracerPod, ...]
    failed: tuple[tuple[TracerPod, PodtraceError], ...]


def tracer_pod_from_api(raw: Mapping[str, Any]) -> TracerPod:
    """Read a Pod object that carries a tracer pod's labels; absent fields read as empty."""
    meta, spec, status = raw.get("metadata") or {}, raw.get("spec") or {}, raw.get("status") or {}
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    created = _time(meta.get("creationTimestamp"))
    return TracerPod(
        namespace=str(meta.get("namespace") or ""),
        name=str(meta.get("name") or ""),
        target=str(annotations.get(TARGET_ANNOTATION) or ""),
        node=str(spec.get("nodeName") or ""),
        session=str(labels.get(SESSION_LABEL) or ""),
        client_id=str(labels.get(CLIENT_LABEL) or ""),
        user=str(annotations.get(USER_ANNOTATION) or ""),
        created=created,
        ended=_ended(status, created),
        deadline=_deadline(spec, status),
    )


def selector_of(owner: Owner) -> str:
    """The label selector of the tracer pods that were made from here."""
    return f"{TRACER_SELECTOR},{CLIENT_LABEL}={owner.client_id}"


def is_leftover(pod: TracerPod, client: Client, now: datetime) -> bool:
    """Whether nobody needs a tracer pod any more, as far as that can be known from here."""
    match client:
        case Client.RUNS:
            return False
        case Client.GONE:
            return True
        case Client.UNKNOWN:
            ended = pod.ended_by(now)
            return ended is not None and ended + READ_ON < now


def remove_own(
    cluster: CleanedCluster,
    namespace: str,
    owner: Owner,
    *,
    client_of: Callable[[TracerPod], Client],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Removal:
    """Remove what earlier traces from here left in a namespace; of a user who may not look, nothing."""
    if not owner.client_id:
        return Removal(removed=(), failed=())
    try:
        found = cluster.list_tracer_pods(namespace, selector_of(owner))
    except PodtraceError:
        return Removal(removed=(), failed=())
    return remove(cluster, [pod for pod in found if is_leftover(pod, client_of(pod), now())])


def remove(cluster: CleanedCluster, pods: Iterable[TracerPod]) -> Removal:
    """Delete pods, each whatever became of the others."""
    removed: list[TracerPod] = []
    failed: list[tuple[TracerPod, PodtraceError]] = []
    for pod in pods:
        try:
            cluster.delete_pod(pod.namespace, pod.name, grace_s=LEAVE_GRACE_S if pod.ended is None else 0)
        except PodtraceError as error:
            failed.append((pod, error))
        else:
            removed.append(pod)
    return Removal(removed=tuple(removed), failed=tuple(failed))


def _ended(status: Mapping[str, Any], created: datetime) -> datetime | None:
    statuses = status.get("containerStatuses") or []
    tracer: Mapping[str, Any] = next((each for each in statuses if each.get("name") == TRACER_CONTAINER), {})
    terminated = (tracer.get("state") or {}).get("terminated")
    if terminated is not None:
        return _time(terminated.get("finishedAt"), created)
    return _time(status.get("startTime"), created) if status.get("phase") in ENDED_PHASES else None


def _deadline(spec: Mapping[str, Any], status: Mapping[str, Any]) -> datetime | None:
    after_s = spec.get("activeDeadlineSeconds")
    if not isinstance(after_s, int) or not status.get("startTime"):
        return None
    return _time(status["startTime"]) + timedelta(seconds=after_s)


def _time(text: object, otherwise: datetime = _EPOCH) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return otherwise
