"""Builds the tracer pod: with many rights, pinned to the target's node, short-lived, and with nothing it does not need.

Pure: what is built depends on the specification alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from kubectl_podtrace.errors import ImageError
from kubectl_podtrace.names import RELEASE_IMAGE, TARGET_ANNOTATION, TRACER_CONTAINER, USER_ANNOTATION, tracer_labels
from kubectl_podtrace.wire.request import REQUEST_VARIABLE

PullPolicy = Literal["Always", "IfNotPresent", "Never"]
SecurityProfile = Literal["privileged", "capabilities"]

IMAGE_VARIABLE: Final = "PODTRACE_IMAGE"
NODE_NAME_VARIABLE: Final = "NODE_NAME"
STOP_GRACE_S: Final = 10
"""What a stopped tracer has for its final snapshot and trailer."""
LEAVE_GRACE_S: Final = 1
"""What a tracer has whose last words nobody reads any more."""

CAPABILITIES: Final = (
    "BPF", "PERFMON", "SYS_PTRACE", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "SETUID", "SETGID", "KILL",
)  # fmt: skip
"""What the tracer has without being privileged; docs/security.md says what each is for."""

_PULL_ALLOWANCE_S: Final = 600
_LIVE_DEADLINE_S: Final = 86_400
_CGROUP_PATH: Final = "/sys/fs/cgroup"
_MESH_LABELS: Final = {"sidecar.istio.io/inject": "false", "istio.io/dataplane-mode": "none"}
# An injected sidecar would keep the pod from ever ending, and the admission that injects it may refuse hostPID.
_MESH_ANNOTATIONS: Final = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}
_RIGHTS: Final[Mapping[SecurityProfile, Mapping[str, Any]]] = {
    "privileged": {"privileged": True},
    "capabilities": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": list(CAPABILITIES)},
        # What these keep from other containers is what a tracer does: bpf(2), perf events, a look at other processes.
        "seccompProfile": {"type": "Unconfined"},
        "appArmorProfile": {"type": "Unconfined"},
        "seLinuxOptions": {"type": "spc_t"},
    },
}
_APPARMOR_ANNOTATIONS: Final = {f"container.apparmor.security.beta.kubernetes.io/{TRACER_CONTAINER}": "unconfined"}
"""The same for clusters before 1.30, which do not know the field."""


@dataclass(frozen=True, kw_only=True)
class TracerPodSpec:
    """All that a tracer pod depends on. `duration_s` is None for a live trace, which a day's deadline bounds.

    `request_json` is handed to the tracer as it is; the target's values, `client_id` and `user` (by which its owner
    finds it again) are for labels and annotations.
    """

    name: str
    namespace: str
    node: str
    image: str
    request_json: str
    session_id: str
    target_namespace: str
    target_pod: str
    target_uid: str
    duration_s: int | None
    profile: SecurityProfile = "privileged"
    pull_policy: PullPolicy | None = None
    pull_secrets: tuple[str, ...] = ()
    client_id: str = ""
    user: str = ""


def choose_image(option: str | None, environ: Mapping[str, str]) -> str:
    """The tracer's image: `--image`, else `PODTRACE_IMAGE`, else the release's own. Raises `ImageError` for none."""
    image = option or environ.get(IMAGE_VARIABLE) or RELEASE_IMAGE
    if image is None:
        raise ImageError(
            "this development version has no published tracer image",
            "build one with `make image`, load it into the cluster's nodes, and name it with --image",
        )
    return image


def build(spec: TracerPodSpec) -> dict[str, Any]:
    """The pod's manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": spec.name,
            "namespace": spec.namespace,
            "labels": {
                **tracer_labels(
                    session_id=spec.session_id,
                    target_namespace=spec.target_namespace,
                    target_uid=spec.target_uid,
                    client_id=spec.client_id,
                ),
                **_MESH_LABELS,
            },
            "annotations": {
                TARGET_ANNOTATION: f"{spec.target_namespace}/{spec.target_pod}",
                **({USER_ANNOTATION: spec.user} if spec.user else {}),
                **_MESH_ANNOTATIONS,
                **(_APPARMOR_ANNOTATIONS if spec.profile == "capabilities" else {}),
            },
        },
        "spec": {
            "nodeName": spec.node,
            "tolerations": [{"operator": "Exists"}],
            "hostPID": True,
            "hostNetwork": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _deadline_s(spec.duration_s),
            "terminationGracePeriodSeconds": STOP_GRACE_S,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": name} for name in spec.pull_secrets],
            "containers": [_container(spec)],
            "volumes": [
                {"name": "cgroup", "hostPath": {"path": _CGROUP_PATH, "type": "Directory"}},
                {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            ],
        },
    }


def to_yaml(manifest: Mapping[str, Any]) -> str:
    """The manifest as `kubectl create -f` takes it."""
    import yaml

    return yaml.safe_dump(dict(manifest), sort_keys=False)


def _container(spec: TracerPodSpec) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": TRACER_CONTAINER,
        "image": spec.image,
        "env": [
            {"name": REQUEST_VARIABLE, "value": _unexpanded(spec.request_json)},
            {"name": NODE_NAME_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "stdin": True,
        "stdinOnce": False,
        "securityContext": {**_RIGHTS[spec.profile], "runAsUser": 0, "readOnlyRootFilesystem": True},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        # The host's own tree: a container's view of it may lack hierarchies.
        "volumeMounts": [
            {"name": "cgroup", "mountPath": _CGROUP_PATH, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # the container's own, in memory
        ],
    }
    if spec.pull_policy is not None:
        container["imagePullPolicy"] = spec.pull_policy
    return container


def _unexpanded(value: str) -> str:
    """The kubelet replaces `$(NAME)` in a variable's value; a doubled dollar stands for itself."""
    return value.replace("$(", "$$(")


def _deadline_s(duration_s: int | None) -> int:
    return _LIVE_DEADLINE_S if duration_s is None else duration_s + _PULL_ALLOWANCE_S
