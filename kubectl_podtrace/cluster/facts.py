"""What is asked of a cluster before a trace, and what can be known of it: rights, admission, node, namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from kubectl_podtrace.cluster.pods import NodeCondition, ready_condition_from_api
from kubectl_podtrace.cluster.target import Target
from kubectl_podtrace.errors import PodtraceError


class Verdict(Enum):
    """An answer."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Absent(Enum):
    """Why nothing is known of an object."""

    GONE = "does not exist"
    HIDDEN = "may not be read"
    UNASKED = "was not asked"


@dataclass(frozen=True, kw_only=True)
class Right:
    """One call that a trace makes; `purpose` is what for (`to ...`). What is in no namespace has an empty one."""

    verb: str
    resource: str
    namespace: str
    purpose: str
    required: bool
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node, as far as a tracer pod depends on it; `kind` is the name of a sort of node that runs no processes."""

    name: str
    condition: NodeCondition
    why_not_ready: str = ""
    system: str = ""
    architecture: str = ""
    kernel: str = ""
    cordoned: bool = False
    kind: str = ""
    images: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What the API server said to a tracer pod that it was not to keep.

    `refused` is its refusal, `untested` why it could not tell. Of a pod that was let in: what admission took and added.
    """

    refused: PodtraceError | None = None
    untested: str = ""
    taken: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that was found out. What could not be had is the error that says why; a `phase` is a namespace's."""

    target: Target | PodtraceError
    image: str | PodtraceError
    rights: tuple[tuple[Right, Verdict], ...]
    namespace: str
    phase: str | Absent
    node: Node | Absent
    runtime_handler: str
    admission: Admission | None


_FARGATE: Final = "Fargate"
_VIRTUAL_KUBELET: Final = "virtual kubelet"
_VIRTUAL_LABELS: Final = {
    ("eks.amazonaws.com/compute-type", "fargate"): _FARGATE,
    ("type", "virtual-kubelet"): _VIRTUAL_KUBELET,
    ("kubernetes.io/role", "virtual-kubelet"): _VIRTUAL_KUBELET,
}
_VIRTUAL_TAINTS: Final = {
    "eks.amazonaws.com/compute-type": _FARGATE,
    "virtual-kubelet.io/provider": _VIRTUAL_KUBELET,
    "azure.com/aci": "Azure Container Instances",
}
_VIRTUAL_NAMES: Final = {
    "fargate-": _FARGATE,
    "virtual-kubelet": _VIRTUAL_KUBELET,
    "virtual-node-aci-": "Azure Container Instances",
}


def kind_by_name(node: str) -> str:
    """The sort of node that runs no processes, told from the names that such nodes are given; else empty."""
    return next((kind for start, kind in _VIRTUAL_NAMES.items() if node.startswith(start)), "")


def node_from_api(raw: Mapping[str, Any]) -> Node:
    """Read a Node object; absent fields read as empty."""
    meta, spec, status = raw.get("metadata") or {}, raw.get("spec") or {}, raw.get("status") or {}
    info = status.get("nodeInfo") or {}
    labels = meta.get("labels") or {}
    condition, why = ready_condition_from_api(raw)
    return Node(
        name=str(meta.get("name") or ""),
        condition=condition,
        why_not_ready=why,
        system=str(info.get("operatingSystem") or labels.get("kubernetes.io/os") or ""),
        architecture=str(info.get("architecture") or labels.get("kubernetes.io/arch") or ""),
        kernel=str(info.get("kernelVersion") or ""),
        cordoned=bool(spec.get("unschedulable")),
        kind=_kind(str(meta.get("name") or ""), labels, spec.get("taints") or []),
        images=frozenset(str(name) for image in status.get("images") or [] for name in image.get("names") or []),
    )


def _kind(name: str, labels: Mapping[str, Any], taints: list[Mapping[str, Any]]) -> str:
    for (key, value), kind in _VIRTUAL_LABELS.items():
        if labels.get(key) == value:
            return kind
    tainted = (_VIRTUAL_TAINTS.get(str(taint.get("key"))) for taint in taints)
    return next((kind for kind in tainted if kind), kind_by_name(name))


def admission_from_api(raw: Mapping[str, Any], asked: Mapping[str, Any]) -> Admission:
    """Read what became of the tracer pod that was asked for, whose one container is the tracer's."""
    spec = raw.get("spec") or {}
    containers = spec.get("containers") or []
    (tracer,) = asked["spec"]["containers"]
    ours: Mapping[str, Any] = next((each for each in containers if each.get("name") == tracer["name"]), {})
    started_before = [each for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    kept = _rights(spec, ours)
    return Admission(
        taken=tuple(right for right in _rights(asked["spec"], tracer) if right not in kept),
        added=tuple(str(each.get("name")) for each in [*containers, *started_before] if each is not ours),
    )


def _rights(pod: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[str, ...]:
    """What a pod and a container of it have that others do not."""
    context = container.get("securityContext") or {}
    added = (context.get("capabilities") or {}).get("add") or []
    named = [*(["privileged"] if context.get("privileged") else []), *(f"CAP_{name}" for name in added)]
    return tuple([*named, "hostPID"] if pod.get("hostPID") else named)


def rights_for(*, namespace: str, tracer_namespace: str, of_deployment: bool) -> tuple[Right, ...]:
    """Every right that a trace makes use of."""
    here = tracer_namespace == namespace
    start = ", and why a tracer pod does not start"
    rights = [
        _needed("get", "pods", namespace, "to find the pod and to see what becomes of it"),
        _needed("create", "pods", tracer_namespace, "to start the tracer pod"),
        _needed("get", "pods/log", tracer_namespace, "to read what the tracer finds"),
        _needed("delete", "pods", tracer_namespace, "to remove the tracer pod, without which none is created"),
        _wanted("get", "pods/attach", tracer_namespace, "to end the tracer soon when this machine goes away"),
        _wanted("create", "pods/attach", tracer_namespace, "for the same, on newer servers"),
        _wanted("list", "events", namespace, f"to tell of failed probes and evictions{start if here else ''}"),
        _wanted("get", "nodes", "", "to check the node beforehand"),
    ]
    if not here:
        rights.append(_needed("get", "pods", tracer_namespace, "to follow the tracer pod's start"))
        rights.append(_wanted("list", "events", tracer_namespace, "to tell why a tracer pod does not start"))
    if of_deployment:
        purpose = "to know which pods are the deployment's"
        rights.append(_needed("get", "deployments", namespace, purpose, group="apps"))
        rights.append(_needed("list", "pods", namespace, "to find the deployment's pods"))
    else:
        rights.append(_wanted("list", "pods", tracer_namespace, "to find tracer pods that were left behind"))
    return tuple(rights)


def _needed(verb: str, resource: str, namespace: str, purpose: str, *, group: str = "") -> Right:
    return Right(verb=verb, resource=resource, namespace=namespace, purpose=purpose, required=True, group=group)


def _wanted(verb: str, resource: str, namespace: str, purpose: str) -> Right:
    return Right(verb=verb, resource=resource, namespace=namespace, purpose=purpose, required=False)
