"""A fake API server: real HTTP on loopback, in threads of its own, with scripted pods, refusals and logs.

It knows the few calls that the plugin makes and records every one. Time never passes in it: a created pod goes one
status further with each read, and a log waits for events, not for seconds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.flow import fake_tables
from tests.flow.fake_stdin import Stdin, answer_headers

WAIT_S: Final = 20.0
"""How long a log waits for an event before it gives up: only a failing test ever waits as long."""


class Cut:
    """A log's step: the connection breaks here, inside the body."""


@dataclass(frozen=True, kw_only=True)
class Until:
    """A log's step: nothing is sent until the event is set."""

    event: threading.Event


@dataclass(frozen=True, kw_only=True)
class Call:
    """A log's step: something else happens now, such as Ctrl+C."""

    function: Callable[[], None]


Step = bytes | Until | Call | Cut


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error answer, as a Status object."""

    status: int
    message: str
    reason: str = "Forbidden"
    once: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """One recorded call."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(kw_only=True)
class FakeApi:
    """The server's state, to be set up by a test before and during the run.

    `starts` are the statuses that a created pod goes through, one for each read, the last one stays. `logs` are the
    scripts of the log requests, one for each; further requests get 400, as before a container's start.
    `refusals` are keyed by `VERB resource`, such as `create pods` or `get pods/log`.
    """

    pods: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    deployments: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=lambda: {"node-a": node()})
    events: list[dict[str, Any]] = field(default_factory=list)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    starts: list[dict[str, Any]] = field(default_factory=list)
    logs: list[list[Step]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    """Rights that the reviews deny, such as `delete pods` or `get nodes`."""
    silent_reviews: bool = False
    """Whether reviews are refused, as a server without RBAC may do."""
    user: str = ""
    """Whom the server says that the user is; empty for one that does not say."""
    phases: dict[str, str] = field(default_factory=dict)
    """Namespaces and their phases; what is not among them may not be read."""
    runtimes: dict[str, str] = field(default_factory=dict)
    """Runtime classes and their handlers."""
    prints_tables: bool = True
    admit: Callable[[dict[str, Any]], dict[str, Any]] = lambda manifest: manifest
    """What admission makes of a pod."""
    stdin: Stdin = field(default_factory=Stdin)
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when the tracer is told to stop: on its stdin, or by a delete that leaves the pod its grace period."""
    port: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def calls(self, method: str, path_end: str = "") -> list[Request]:
        """The recorded calls of a method whose path ends so."""
        return [r for r in self.requests if r.method == method and r.path.endswith(path_end)]

    def write_kubeconfig(
        self, path: Path, *, namespace: str | None = None, server: str | None = None, proxy_url: str | None = None
    ) -> Path:
        """A kubeconfig with one context, `fake`; JSON is YAML."""
        cluster = {"server": server or self.url, **({"proxy-url": proxy_url} if proxy_url else {})}
        context = {"cluster": "fake", "user": "fake", **({"namespace": namespace} if namespace else {})}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "contexts": [{"name": "fake", "context": context}],
            "users": [{"name": "fake", "user": {"token": "secret-token"}}],
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def serve(self) -> Iterator[FakeApi]:
        """Serve until the generator is closed: for a fixture's `yield from`."""
        server = _Server(self)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, request: Request) -> tuple[int, dict[str, Any]] | list[Step]:
        """What a call gets: a status and an object, or a log's script."""
        parts = request.path.strip("/").split("/")
        if parts[-1] in {ACCESS_REVIEWS, SUBJECT_REVIEWS}:
            return self._review(parts[-1], request.body.get("spec") or {})
        verb, resource, namespace, name = _meaning(request, parts)
        early = self._refused_or_attached(f"{verb} {resource}", request)
        if early is not None:
            return early
        match verb, resource:
            case "get", "pods/log":
                return self.logs.pop(0) if self.logs else _status(400, "is waiting to start: ContainerCreating")
            case "get", "pods":
                return self._read_pod(namespace, name)
            case "list", _:
                return 200, self._list(resource, namespace, request)
            case "create", "pods":
                return (
                    (201, self.admit(request.body)) if _is_dry_run(request) else self._create(namespace, request.body)
                )
            case "delete", "pods":
                return self._delete_pod(namespace, name, request.body)
            case "get", _:
                return self._look_up(resource, namespace, name)
            case _:
                return _status(404, f"the fake does not know {request.method} {request.path}", "NotFound")

    def _list(self, resource: str, namespace: str, request: Request) -> dict[str, Any]:
        if self.prints_tables and fake_tables.is_wanted(request.headers):
            rows = fake_tables.rows(resource, namespace, self.pods, self.deployments, self.phases)
            return fake_tables.page(resource, rows, request.query)
        found = {"events": self.events, "pods": self._selected(namespace, request.query.get("labelSelector", ""))}
        return {"items": found[resource]}

    def _look_up(self, resource: str, namespace: str, name: str) -> tuple[int, dict[str, Any]]:
        if resource == "namespaces" and name not in self.phases:
            return _status(403, f'User "bob" cannot get resource "namespaces": {name}', "Forbidden")
        found = {
            "deployments": self.deployments.get((namespace, name)),
            "nodes": self.nodes.get(name),
            "namespaces": {"status": {"phase": self.phases.get(name)}},
            "runtimeclasses": {"handler": self.runtimes[name]} if name in self.runtimes else None,
        }
        return _found(found.get(resource), f'{resource} "{name}" not found')

    def _refused_or_attached(self, call: str, request: Request) -> tuple[int, dict[str, Any]] | None:
        dry_run = " as a dry run" if _is_dry_run(request) else ""
        refusal = self._refusal(f"{call}{dry_run}") or self._refusal(call)
        if refusal is not None:
            return _status(refusal.status, refusal.message, refusal.reason)
        return ATTACHED if call == "get pods/attach" else None

    def _refusal(self, call: str) -> Refusal | None:
        refusal = self.refusals.get(call)
        if refusal is not None and refusal.once:
            del self.refusals[call]
        return refusal

    def _read_pod(self, namespace: str, name: str) -> tuple[int, dict[str, Any]]:
        pod = self.pods.get((namespace, name))
        if pod is not None and pod in self.created and self.starts:
            pod["status"] = self.starts[0]
            if len(self.starts) > 1:
                self.starts.pop(0)
        return _found(pod, f'pods "{name}" not found')

    def _review(self, resource: str, spec: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if resource == SUBJECT_REVIEWS:
            named = {"status": {"userInfo": {"username": self.user}}}
            return (201, named) if self.user else _status(404, "not found", "NotFound")
        if self.silent_reviews:
            return _status(403, "no reviews here", "Forbidden")
        asked = spec["resourceAttributes"]
        resource = "/".join(part for part in (asked["resource"], asked["subresource"]) if part)
        return 201, {"status": {"allowed": f"{asked['verb']} {resource}" not in self.denied}}

    def _selected(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        """By the part of the selector that is about labels of tracer pods; the rest is taken to match."""
        wanted = dict(part.split("=") for part in selector.split(",") if "podtrace" in part)
        return [
            pod
            for (there, _), pod in self.pods.items()
            if namespace in {"", there} and wanted.items() <= (pod["metadata"].get("labels") or {}).items()
        ]

    def _create(self, namespace: str, manifest: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        pod = {**manifest, "status": {"phase": "Pending"}}
        pod["metadata"] = {**manifest["metadata"], "uid": "uid-of-tracer"}
        self.pods[namespace, manifest["metadata"]["name"]] = pod
        self.created.append(pod)
        return 201, pod

    def _delete_pod(self, namespace: str, name: str, options: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        pod = self.pods.get((namespace, name))
        if pod is None:
            return _status(404, f'pods "{name}" not found', "NotFound")
        if options["gracePeriodSeconds"] > 1:
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self.stopped.set()
        else:
            del self.pods[namespace, name]
        return 200, pod


def target_pod(name: str = "api-0", namespace: str = "shop", **status: Any) -> dict[str, Any]:
    """A running pod of one container, `app`, on node `node-a`."""
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}"},
        "spec": {"nodeName": "node-a", "containers": [{"name": "app", "image": "shop:1"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {"name": "app", "containerID": "containerd://aaaa", "restartCount": 0, "state": {"running": {}}}
            ],
            **status,
        },
    }


def tracer_status(state: Mapping[str, Any], phase: str = "Pending") -> dict[str, Any]:
    """A tracer pod's status with its container in this state."""
    return {"phase": phase, "containerStatuses": [{"name": "tracer", "restartCount": 0, "state": state}]}


def node(name: str = "node-a", *, ready: str = "True", **changed: Any) -> dict[str, Any]:
    """A node that can be traced on; `changed` are top-level parts such as `spec`, or `nodeInfo`."""
    info = {"operatingSystem": "linux", "architecture": "amd64", "kernelVersion": "6.1.0-13-amd64"}
    return {
        "metadata": {"name": name, **changed.get("metadata", {})},
        "spec": changed.get("spec", {}),
        "status": {
            "conditions": [{"type": "Ready", "status": ready, "message": "kubelet stopped posting node status"}],
            "nodeInfo": {**info, **changed.get("nodeInfo", {})},
            "images": [{"names": ["tracer:1"]}],
        },
    }


ATTACHED: Final[tuple[int, dict[str, Any]]] = (101, {})
ACCESS_REVIEWS: Final = "selfsubjectaccessreviews"
SUBJECT_REVIEWS: Final = "selfsubjectreviews"
ACCEPTED: Final[dict[str, Any]] = {"phase": "Pending"}
CREATING: Final = tracer_status({"waiting": {"reason": "ContainerCreating"}})
RUNNING: Final = tracer_status({"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "Running")
ENDED: Final = tracer_status({"terminated": {"exitCode": 0, "reason": "Completed"}}, "Succeeded")


def stamped(*lines: bytes, second: int = 0) -> bytes:
    """Lines as the kubelet sends them with `timestamps=true`."""
    return b"".join(b"2026-01-01T00:00:%02d.123456789Z %s\n" % (second, line) for line in lines)


def _is_dry_run(request: Request) -> bool:
    return request.query.get("dryRun") == "All"


def _meaning(request: Request, parts: list[str]) -> tuple[str, str, str, str]:
    """A call's verb, resource, namespace and name: `/api/v1/namespaces/NS/pods/NAME/log` and its like."""
    verbs = {"POST": "create", "DELETE": "delete"}
    if "namespaces" not in parts or (parts[:3] == ["api", "v1", "namespaces"] and len(parts) <= 4):
        *_, resource, name = [*parts, ""] if parts[-1] in {"pods", "namespaces"} else parts
        return "get" if name else "list", resource, "", name
    at = parts.index("namespaces")
    namespace, resource, *rest = parts[at + 1 :]
    name = rest[0] if rest else ""
    verb = verbs.get(request.method, "get" if name else "list")
    return verb, "/".join([resource, *rest[1:]]), namespace, name


def _found(found: dict[str, Any] | None, missing: str) -> tuple[int, dict[str, Any]]:
    return _status(404, missing, "NotFound") if found is None else (200, found)


def _status(status: int, message: str, reason: str = "BadRequest") -> tuple[int, dict[str, Any]]:
    return status, {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": status}


class _Server(ThreadingHTTPServer):
    """Carries the state to the handlers, each of which is an object of its own."""

    daemon_threads = True

    def __init__(self, api: FakeApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        # A proxied request names the whole URL, so the server can stand in for a proxy as well.
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            method=self.command,
            path=url.path,
            query={key: values[0] for key, values in parse_qs(url.query).items()},
            headers=dict(self.headers.items()),
            body=json.loads(self.rfile.read(length)) if length else None,
        )
        assert isinstance(self.server, _Server)
        api = self.server.api
        with api.lock:
            api.requests.append(request)
            answer = api.answer(request)
        if isinstance(answer, list):
            self._send_log(answer)
        elif answer == ATTACHED:
            self._serve_stdin(api)
        else:
            self._send_object(*answer)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815  # the base class calls them so

    def _send_object(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _serve_stdin(self, api: FakeApi) -> None:
        self.send_response(101)
        for name, value in answer_headers(self.headers["Sec-WebSocket-Key"]).items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        api.stdin.serve(self.connection, on_stop=api.stopped.set)

    def _send_log(self, script: list[Step]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for step in script:
            match step:
                case bytes():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(step), step))
                case Until(event=event):
                    event.wait(WAIT_S)
                case Call(function=function):
                    function()
                case Cut():
                    self.close_connection = True
                    return
        self.wfile.write(b"0\r\n\r\n")

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            return  # the plugin hung up, which is its right

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name for it
        """Nothing: the recorded requests tell more."""
