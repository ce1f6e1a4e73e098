"""The calls that the plugin makes to a cluster, and nothing else of Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from kubectl_podtrace.cluster.facts import (
    Absent,
    Admission,
    Node,
    Right,
    Verdict,
    admission_from_api,
    node_from_api,
)
from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions, load_config
from kubectl_podtrace.cluster.leftovers import TracerPod, tracer_pod_from_api
from kubectl_podtrace.cluster.listed import TABLE_ACCEPT, Listed, ListedKind, page_from_api
from kubectl_podtrace.cluster.pods import (
    NodeCondition,
    Pod,
    PodEvent,
    event_from_api,
    node_condition_from_api,
    pod_from_api,
)
from kubectl_podtrace.cluster.refusals import explain, explain_create, is_untested
from kubectl_podtrace.cluster.transport import (
    ANY_JSON,
    READ_TIMEOUT_S,
    ApiStatusError,
    ByteStream,
    Transport,
    open_transport,
)
from kubectl_podtrace.cluster.websocket import WebSocketChannel
from kubectl_podtrace.errors import ApiError, NotAuthenticatedError, PermissionDeniedError

_EVENT_LIMIT: Final = "50"
_ALL_EVENTS_LIMIT: Final = "1000"
_LISTED_LIMIT: Final = 500
"""As many as kubectl asks for at a time."""
_ACCESS_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SUBJECT_REVIEWS: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Cluster:
    """One cluster as one user sees it. Every method raises `PodtraceError` subclasses only."""

    def __init__(self, *, transport: Transport, default_namespace: str) -> None:
        self._transport = transport
        self.default_namespace = default_namespace

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        """The pod, or None when there is none of that name."""
        raw = self._get(_pod_path(namespace, name), resource="pods", namespace=namespace)
        return None if raw is None else pod_from_api(raw)

    def get_deployment_selector(self, namespace: str, name: str) -> str | None:
        """The label selector of a deployment's pods, or None when there is no such deployment."""
        path = f"/apis/apps/v1/namespaces/{quote(namespace)}/deployments/{quote(name)}"
        raw = self._get(path, resource="deployments.apps", namespace=namespace)
        return None if raw is None else _selector_text(raw.get("spec", {}).get("selector", {}))

    def list_pods(self, namespace: str, selector: str) -> tuple[Pod, ...]:
        """The pods of a namespace that match a label selector."""
        raw = self._get(
            f"/api/v1/namespaces/{quote(namespace)}/pods",
            query={"labelSelector": selector},
            verb="list",
            resource="pods",
            namespace=namespace,
        )
        return tuple(pod_from_api(item) for item in (raw or {}).get("items") or [])

    def list_names(self, kind: ListedKind, namespace: str, *, beginning: str) -> tuple[Listed, ...]:
        """What there is of a kind whose name begins so, in the server's order: the first 500 or some more."""
        found: list[Listed] = []
        query = {"limit": str(_LISTED_LIMIT), "includeObject": "None"}
        while True:
            raw = self._get(
                kind.path(quote(namespace)),
                query=query,
                verb="list",
                resource=kind.value,
                namespace="" if kind is ListedKind.NAMESPACE else namespace,
                accept=TABLE_ACCEPT,
            )
            page, goes_on = page_from_api(raw or {})
            found.extend(each for each in page if each.name.startswith(beginning))
            if not goes_on or len(found) >= _LISTED_LIMIT:
                return tuple(found)
            query["continue"] = goes_on

    def create_pod(self, namespace: str, manifest: Mapping[str, object]) -> Pod:
        """Create a pod; policy's refusals keep their own text."""
        try:
            raw = self._transport.call("POST", f"/api/v1/namespaces/{quote(namespace)}/pods", body=manifest)
        except ApiStatusError as refusal:
            raise explain_create(refusal, namespace=namespace) from refusal
        return pod_from_api(raw)

    def try_pod(self, namespace: str, manifest: Mapping[str, Any]) -> Admission:
        """What the cluster would make of a pod: a creation up to the point where it would be kept."""
        path = f"/api/v1/namespaces/{quote(namespace)}/pods"
        try:
            raw = self._transport.call("POST", path, {"dryRun": "All"}, manifest)
        except ApiStatusError as refusal:
            error = explain_create(refusal, namespace=namespace)
            if isinstance(error, NotAuthenticatedError):
                raise error from refusal
            # What has no class of its own may be a moment's weakness of the server: the true creation will tell.
            if is_untested(refusal) or isinstance(error, ApiError):
                return Admission(untested=refusal.message)
            return Admission(refused=error)
        return admission_from_api(raw, manifest)

    def may(self, right: Right) -> Verdict:
        """Whether the user has a right; unknown where the server does not say."""
        resource, _, part = right.resource.partition("/")
        attributes = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": part}
        if right.namespace:
            attributes["namespace"] = right.namespace
        raw = self._review(_ACCESS_REVIEWS, "SelfSubjectAccessReview", {"resourceAttributes": attributes})
        allowed = raw.get("allowed")
        return Verdict.UNKNOWN if allowed is None else Verdict.YES if allowed is True else Verdict.NO

    def user_name(self) -> str:
        """Who the user is to the cluster; empty where the server does not say (before 1.28)."""
        raw = self._review(_SUBJECT_REVIEWS, "SelfSubjectReview", {})
        return str((raw.get("userInfo") or {}).get("username") or "")

    def namespace_phase(self, name: str) -> str | Absent:
        """A namespace's phase, such as `Active`."""
        raw = self._look(f"/api/v1/namespaces/{quote(name)}")
        return raw if isinstance(raw, Absent) else str((raw.get("status") or {}).get("phase") or "")

    def get_node(self, name: str) -> Node | Absent:
        """A node."""
        raw = self._look(f"/api/v1/nodes/{quote(name)}")
        return raw if isinstance(raw, Absent) else node_from_api(raw)

    def runtime_handler(self, runtime_class: str) -> str:
        """What runs the pods of a runtime class; empty when that is not told."""
        raw = self._look(f"/apis/node.k8s.io/v1/runtimeclasses/{quote(runtime_class)}")
        return "" if isinstance(raw, Absent) else str(raw.get("handler") or "")

    def list_tracer_pods(self, namespace: str | None, selector: str) -> tuple[TracerPod, ...]:
        """The tracer pods that match a label selector, in one namespace or in all."""
        place = "" if namespace is None else f"/namespaces/{quote(namespace)}"
        raw = self._get(
            f"/api/v1{place}/pods",
            query={"labelSelector": selector},
            verb="list",
            resource="pods",
            namespace=namespace or "",
        )
        return tuple(tracer_pod_from_api(item) for item in (raw or {}).get("items") or [])

    def delete_pod(self, namespace: str, name: str, *, grace_s: int) -> bool:
        """Ask for a pod's end, with that many seconds between SIGTERM and SIGKILL; False when it is gone already."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": grace_s}
        try:
            self._transport.call("DELETE", _pod_path(namespace, name), body=options)
        except ApiStatusError as refusal:
            if refusal.status == 404:
                return False
            raise explain(refusal, verb="delete", resource="pods", namespace=namespace) from refusal
        return True

    def open_log(
        self, namespace: str, name: str, *, container: str, since: str | None, follow: bool, silence_s: float
    ) -> ByteStream | None:
        """A container's log with the node's time before each line, from `since` (RFC 3339) on; None when there is none.

        There is none before the container's start and after the pod's removal.
        """
        query = {"container": container, "timestamps": "true", "follow": "true" if follow else "false"}
        if since is not None:
            query["sinceTime"] = since
        try:
            return self._transport.stream(f"{_pod_path(namespace, name)}/log", query, silence_s)
        except ApiStatusError as refusal:
            if refusal.status in (401, 403):
                raise explain(refusal, verb="get", resource="pods/log", namespace=namespace) from refusal
            return None

    def attach_stdin(self, namespace: str, name: str, *, container: str, timeout_s: float) -> WebSocketChannel:
        """A container's stdin, and nothing of what it says."""
        query = {"container": container, "stdin": "true", "stdout": "false", "stderr": "false", "tty": "false"}
        try:
            return self._transport.websocket(f"{_pod_path(namespace, name)}/attach", query, timeout_s)
        except ApiStatusError as refusal:
            raise explain(refusal, verb="get", resource="pods/attach", namespace=namespace) from refusal

    def pod_events(self, namespace: str, name: str) -> tuple[PodEvent, ...]:
        """The latest events about a pod; none where reading them is forbidden."""
        query = {"fieldSelector": f"involvedObject.name={name}", "limit": _EVENT_LIMIT}
        try:
            raw = self._transport.call("GET", f"/api/v1/namespaces/{quote(namespace)}/events", query)
        except ApiStatusError:
            return ()
        return tuple(event_from_api(item) for item in raw.get("items") or [])

    def list_events(self, namespace: str, name: str) -> tuple[PodEvent, ...]:
        """All events about a pod that are still kept; raises `PermissionDeniedError` where that is forbidden."""
        raw = self._get(
            f"/api/v1/namespaces/{quote(namespace)}/events",
            query={"fieldSelector": f"involvedObject.name={name}", "limit": _ALL_EVENTS_LIMIT},
            verb="list",
            resource="events",
            namespace=namespace,
        )
        return tuple(event_from_api(item) for item in (raw or {}).get("items") or [])

    def node_condition(self, name: str) -> NodeCondition:
        """Whether a node is there and ready; `UNKNOWN` where reading nodes is forbidden."""
        try:
            raw = self._get(f"/api/v1/nodes/{quote(name)}", resource="nodes", namespace="")
        except PermissionDeniedError:
            return NodeCondition.UNKNOWN
        return NodeCondition.GONE if raw is None else node_condition_from_api(raw)

    def _review(self, path: str, kind: str, spec: Mapping[str, object]) -> Mapping[str, Any]:
        """What the server says about the user; nothing when it does not answer such questions."""
        group = path.split("/")[2]
        review = {"apiVersion": f"{group}/v1", "kind": kind, **({"spec": spec} if spec else {})}
        try:
            return self._transport.call("POST", path, body=review).get("status") or {}
        except ApiStatusError:
            return {}

    def _look(self, path: str) -> dict[str, Any] | Absent:
        """An object that may well be hidden from the user."""
        try:
            return self._transport.call("GET", path)
        except ApiStatusError as refusal:
            return Absent.GONE if refusal.status == 404 else Absent.HIDDEN

    def _get(
        self,
        path: str,
        *,
        resource: str,
        namespace: str,
        verb: str = "get",
        query: Mapping[str, str] | None = None,
        accept: str = ANY_JSON,
    ) -> dict[str, Any] | None:
        try:
            return self._transport.call("GET", path, query, accept=accept)
        except ApiStatusError as refusal:
            if refusal.status == 404:
                return None
            raise explain(refusal, verb=verb, resource=resource, namespace=namespace) from refusal


def prepare() -> None:
    """Import what `connect` will need, which takes longer than an answer: for who counts the time of that alone."""
    import kubernetes.client
    import kubernetes.config  # noqa: F401


def connect(options: ConnectionOptions, environ: Mapping[str, str]) -> Cluster:
    """The cluster that kubectl would talk to with these flags and this environment; asks it nothing yet."""
    loaded = load_config(options, environ)
    impersonation = [("Impersonate-User", options.as_user)] if options.as_user else []
    transport = open_transport(
        loaded.configuration,
        read_timeout_s=options.request_timeout_s or READ_TIMEOUT_S,
        extra_headers=[*impersonation, *(("Impersonate-Group", group) for group in options.as_groups)],
    )
    return Cluster(transport=transport, default_namespace=loaded.namespace)


def _pod_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(name)}"


def _selector_text(selector: Mapping[str, Any]) -> str:
    """A LabelSelector object in the form that the list call takes."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression.get("key"), ",".join(expression.get("values") or [])
        match expression.get("operator"):
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(f"{key}")
            case _:
                parts.append(f"!{key}")
    return ",".join(parts)
