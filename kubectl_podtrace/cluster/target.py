"""From what was typed (TargetSpec) to what was found (Target): the pod, its node and the containers to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from kubectl_podtrace.cluster.pods import (
    DEFAULT_CONTAINER_ANNOTATION,
    ENDED_PHASES,
    Container,
    Pod,
    Running,
    Terminated,
    Waiting,
)
from kubectl_podtrace.errors import TargetNotFoundError, TargetNotTraceableError, UsageError
from kubectl_podtrace.names import is_dns_label, is_dns_subdomain

TargetKind = Literal["pod", "deployment"]

TARGET_KINDS: Final[dict[str, TargetKind]] = {
    "po": "pod",
    "pod": "pod",
    "pods": "pod",
    "deploy": "deployment",
    "deployment": "deployment",
    "deployments": "deployment",
    "deployment.apps": "deployment",
    "deployments.apps": "deployment",
}


class PodReader(Protocol):
    """The part of a cluster that finding a target needs."""

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        """The pod, or None."""

    def get_deployment_selector(self, namespace: str, name: str) -> str | None:
        """The label selector of a deployment's pods, or None."""

    def list_pods(self, namespace: str, selector: str) -> tuple[Pod, ...]:
        """The pods that match a label selector."""


@dataclass(frozen=True, kw_only=True)
class TargetSpec:
    """What was typed, checked in form only. No `container` means the default one, unless `all_containers`."""

    kind: TargetKind
    name: str
    container: str | None = None
    all_containers: bool = False

    @classmethod
    def parse(cls, text: str, *, container: str | None = None, all_containers: bool = False) -> TargetSpec:
        """Read `POD`, `pod/POD` or `deploy/NAME`. Raises `UsageError`; asks no cluster."""
        prefix, slash, name = text.partition("/")
        if not slash:
            prefix, name = "pod", text
        kind = TARGET_KINDS.get(prefix.lower())
        if kind is None:
            raise UsageError(f"cannot trace {text!r}", "a target is POD, pod/POD or deploy/NAME")
        if not is_dns_subdomain(name):
            raise UsageError(
                f"{name!r} cannot be the name of a {kind}",
                "names have lower-case letters, digits, '-' and '.'; see: kubectl get pods",
            )
        if container is not None and all_containers:
            raise UsageError("--container and --all-containers exclude each other")
        if container is not None and not is_dns_label(container):
            raise UsageError(f"{container!r} cannot be the name of a container")
        return cls(kind=kind, name=name, container=container, all_containers=all_containers)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What was found. `uid` is the one in the pod's cgroup; `selected` names the containers to show.

    `notices` say what was decided on the user's behalf.
    """

    namespace: str
    pod: str
    uid: str
    node: str
    containers: tuple[Container, ...]
    selected: tuple[str, ...]
    notices: tuple[str, ...]
    runtime_class: str = ""


def check_namespace(namespace: str) -> str:
    """The namespace itself when it could be one; raises `UsageError`."""
    if not is_dns_label(namespace):
        raise UsageError(f"{namespace!r} cannot be the name of a namespace")
    return namespace


def resolve(spec: TargetSpec, namespace: str, reader: PodReader) -> Target:
    """Find the pod and choose its containers. Raises `TargetNotFoundError` or `TargetNotTraceableError`."""
    notices: list[str] = []
    if spec.kind == "deployment":
        pod, notice = _pod_of_deployment(spec.name, namespace, reader)
        notices.append(notice)
    else:
        found = reader.get_pod(namespace, spec.name)
        if found is None:
            raise TargetNotFoundError(
                f'there is no pod "{spec.name}" in namespace "{namespace}"', f"see: kubectl get pods -n {namespace}"
            )
        pod = found
    _check_traceable(pod)
    selected, notice = _select(spec, pod)
    return Target(
        namespace=namespace,
        pod=pod.name,
        uid=pod.cgroup_uid,
        node=pod.node,
        containers=pod.containers,
        selected=selected,
        notices=tuple(text for text in (*notices, notice, _not_running(pod, selected)) if text),
        runtime_class=pod.runtime_class,
    )


def _pod_of_deployment(name: str, namespace: str, reader: PodReader) -> tuple[Pod, str]:
    """The newest ready pod, for it runs the deployment's current template; without a ready one, the newest running."""
    selector = reader.get_deployment_selector(namespace, name)
    if selector is None:
        raise TargetNotFoundError(
            f'there is no deployment "{name}" in namespace "{namespace}"',
            f"see: kubectl get deployments -n {namespace}",
        )
    pods = [pod for pod in reader.list_pods(namespace, selector) if _why_not(pod) is None]
    if not pods:
        raise TargetNotTraceableError(
            f'deployment "{name}" in namespace "{namespace}" has no pod that could be traced',
            f"see: kubectl get pods -n {namespace} -l '{selector}'",
        )
    chosen = max(pods, key=lambda pod: (pod.ready, _runs(pod), pod.created, pod.name))
    state = "ready" if chosen.ready else "not ready"
    return chosen, f"deployment {name}: tracing pod {chosen.name}, the newest that is {state}, of {len(pods)}"


def _runs(pod: Pod) -> bool:
    return any(isinstance(container.state, Running) for container in pod.containers)


def _check_traceable(pod: Pod) -> None:
    why = _why_not(pod)
    if why is not None:
        raise TargetNotTraceableError(f'pod "{pod.name}" in namespace "{pod.namespace}" {why}')


def _why_not(pod: Pod) -> str | None:
    """Why nothing of a pod could be traced; a crash-looping pod could: its cgroup outlives restarts."""
    if pod.phase in ENDED_PHASES:
        return f"has ended ({pod.reason or pod.phase})"
    if pod.deleting:
        return "is being deleted"
    if not pod.node:
        return f"has no node yet{': ' + pod.unscheduled_why if pod.unscheduled_why else ''}"
    return None


def _select(spec: TargetSpec, pod: Pod) -> tuple[tuple[str, ...], str]:
    """The containers to show, and the notice that names the others (empty when nothing was decided)."""
    names = tuple(container.name for container in pod.containers)
    if spec.all_containers:
        return names, ""
    if spec.container is not None:
        if spec.container not in names:
            raise TargetNotFoundError(
                f'pod "{pod.name}" has no container "{spec.container}"', f"it has: {', '.join(names)}"
            )
        return (spec.container,), ""
    apps = [container.name for container in pod.containers if container.kind == "app"]
    annotated = pod.annotations.get(DEFAULT_CONTAINER_ANNOTATION)
    chosen = annotated if annotated in apps else apps[0]
    others = [name for name in names if name != chosen]
    if not others:
        return (chosen,), ""
    return (chosen,), f"showing container {chosen}; also there: {', '.join(others)} (--container or --all-containers)"


def _not_running(pod: Pod, selected: tuple[str, ...]) -> str:
    """What to expect when no chosen container runs; a crash loop's pauses grow to five minutes."""
    states = {container.name: _why_idle(container) for container in pod.containers if container.name in selected}
    if not all(states.values()):
        return ""
    names = ", ".join(f"{name} ({why})" for name, why in states.items())
    return f"not running now: {names}; the next start is traced if it comes in time"


def _why_idle(container: Container) -> str:
    match container.state:
        case Waiting(reason=reason) | Terminated(reason=reason):
            return reason
        case Running():
            return ""
