from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from kubectl_podtrace.cluster.client import Cluster, connect
from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions
from kubectl_podtrace.errors import (
    ApiError,
    ClusterUnreachableError,
    KubeconfigError,
    NotAuthenticatedError,
    PermissionDeniedError,
    PodtraceError,
)
from tests.flow.fake_api import FakeApi, Refusal, target_pod


def test_the_contexts_namespace_is_the_default(cluster: Cluster) -> None:
    assert cluster.default_namespace == "shop"


def test_without_a_namespace_in_the_context_it_is_default(api: FakeApi, tmp_path: Path) -> None:
    path = api.write_kubeconfig(tmp_path / "other")
    assert connect(ConnectionOptions(kubeconfig=str(path)), {}).default_namespace == "default"


def test_calls_carry_the_users_token_and_impersonation(api: FakeApi, kubeconfig: Path) -> None:
    options = ConnectionOptions(kubeconfig=str(kubeconfig), as_user="bob", as_groups=("dev",))
    connect(options, {}).get_pod("shop", "api-0")
    headers = api.requests[0].headers
    assert headers["authorization"] == "Bearer secret-token"
    assert headers["Impersonate-User"] == "bob"
    assert headers["Impersonate-Group"] == "dev"


def test_the_environments_list_is_merged_and_its_first_current_context_counts(api: FakeApi, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    api.write_kubeconfig(second)
    document = json.loads(second.read_text(encoding="utf-8"))
    first.write_text(json.dumps({**document, "clusters": [], "users": []}), encoding="utf-8")
    second.write_text(json.dumps({**document, "contexts": [], "current-context": "gone"}), encoding="utf-8")
    (tmp_path / "empty").touch()
    listed = os.pathsep.join(str(tmp_path / name) for name in ("missing", "empty", "first", "second"))
    cluster = connect(ConnectionOptions(), {"KUBECONFIG": listed})
    assert cluster.get_pod("shop", "api-0") is None
    assert api.requests[0].headers["authorization"] == "Bearer secret-token"


def test_the_homes_kubeconfig_is_found(api: FakeApi, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    api.write_kubeconfig(tmp_path / ".kube" / "config", namespace="home")
    assert connect(ConnectionOptions(), {"HOME": str(tmp_path)}).default_namespace == "home"


def test_a_clusters_proxy_is_used_whatever_the_environment_says(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    api.pods["shop", "api-0"] = target_pod()
    path = api.write_kubeconfig(tmp_path / "proxied", server="http://cluster.invalid:8080", proxy_url=api.url)
    pod = connect(ConnectionOptions(kubeconfig=str(path)), {}).get_pod("shop", "api-0")
    assert pod is not None
    assert api.requests[0].headers["Host"] == "cluster.invalid:8080"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "names no current context"),
        ("[1]", "is not a kubeconfig"),
        ("{", r'config" is not YAML at line 1: expected .*$'),
        ("token: secret\nusers: [\n", r'config" is not YAML at line 3: [^\n]*(?<!secret)$'),
        ("a: b\0", r'config" is not YAML: [^\n]*not allowed$'),
        ('{"current-context": "a", "contexts": [{"name": "b", "context": {}}]}', 'has no context "a"'),
        (
            '{"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "c"}}]}',
            'context "a" cannot be used',
        ),
        (
            """
            current-context: a
            contexts: [{name: a, context: {cluster: c}}]
            clusters: [{name: c, cluster: {server: 10.0.0.1}}]
            """,
            '"10.0.0.1" is not an address',
        ),
    ],
)
def test_an_unusable_kubeconfig_says_what_is_wrong(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "config").write_text(content, encoding="utf-8")
    with pytest.raises(KubeconfigError, match=words):
        connect(ConnectionOptions(kubeconfig=str(tmp_path / "config")), {})


def test_an_unknown_context_is_answered_with_the_known_ones(kubeconfig: Path) -> None:
    with pytest.raises(KubeconfigError) as caught:
        connect(ConnectionOptions(kubeconfig=str(kubeconfig), context="prod"), {})
    assert caught.value.hint == "contexts there: fake"


def test_a_credential_program_that_fails_is_named(
    api: FakeApi, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = api.write_kubeconfig(tmp_path / "exec")
    document = json.loads(path.read_text(encoding="utf-8"))
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-login", "interactiveMode": "Never"}
    document["users"][0]["user"] = {"exec": program}
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(KubeconfigError, match=r"got no credentials: .*no-such-login"):
        connect(ConnectionOptions(kubeconfig=str(path)), {})
    assert capfd.readouterr().err == ""


def test_a_proxy_that_does_not_answer_is_told_from_the_server(api: FakeApi, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{free.getsockname()[1]}"
        path = api.write_kubeconfig(tmp_path / "proxied", proxy_url=proxy)
        cluster = connect(ConnectionOptions(kubeconfig=str(path)), {})
        with pytest.raises(ClusterUnreachableError, match="through its proxy: Connection refused"):
            cluster.get_pod("shop", "api-0")


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="nowhere"):
        connect(ConnectionOptions(kubeconfig=str(tmp_path / "nowhere")), {})
    with pytest.raises(KubeconfigError, match=r"\.kube/config does not exist"):
        connect(ConnectionOptions(), {"HOME": str(tmp_path)})


def test_a_kubeconfig_that_is_a_directory_or_empty_is_told_from_one_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=f'"{tmp_path}" is a directory'):
        connect(ConnectionOptions(kubeconfig=str(tmp_path)), {})
    (tmp_path / "empty").touch()
    listed = f"{tmp_path}:{tmp_path}/empty:{tmp_path}/nowhere"
    with pytest.raises(KubeconfigError) as caught:
        connect(ConnectionOptions(), {"KUBECONFIG": listed})
    assert caught.value.message == (
        f"found no kubeconfig: {tmp_path} is a directory, {tmp_path}/empty is empty, {tmp_path}/nowhere does not exist"
    )


def test_inside_a_pod_without_its_token_the_service_account_is_named(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    with pytest.raises(KubeconfigError, match="service account"):
        connect(ConnectionOptions(), environ)


def test_an_api_server_that_does_not_answer_is_named_with_its_address(api: FakeApi, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{free.getsockname()[1]}"
        path = api.write_kubeconfig(tmp_path / "down", server=server)
        cluster = connect(ConnectionOptions(kubeconfig=str(path)), {})
        with pytest.raises(ClusterUnreachableError) as caught:
            cluster.get_pod("shop", "api-0")
    assert caught.value.message == f"cannot reach the API server at {server}: Connection refused"


def test_an_api_server_without_a_known_name_says_so(api: FakeApi, tmp_path: Path) -> None:
    path = api.write_kubeconfig(tmp_path / "unknown", server="http://cluster.invalid")
    with pytest.raises(ClusterUnreachableError, match="its name is not known"):
        connect(ConnectionOptions(kubeconfig=str(path)), {}).get_pod("shop", "api-0")


def test_an_api_server_that_never_answers_is_given_up_in_time(api: FakeApi, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        path = api.write_kubeconfig(tmp_path / "deaf", server=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        cluster = connect(ConnectionOptions(kubeconfig=str(path), request_timeout_s=0.05), {})
        with pytest.raises(ClusterUnreachableError, match="no answer in time"):
            cluster.get_pod("shop", "api-0")


@pytest.mark.parametrize(
    ("refusal", "error_type"),
    [
        (Refusal(status=401, reason="Unauthorized", message="Unauthorized"), NotAuthenticatedError),
        (Refusal(status=403, message='User "system:anonymous" cannot get resource "pods"'), NotAuthenticatedError),
        (Refusal(status=403, message='User "bob" cannot get resource "pods"'), PermissionDeniedError),
        (Refusal(status=503, reason="ServiceUnavailable", message="etcd is down"), ApiError),
    ],
)
def test_refusals_have_plain_names(
    api: FakeApi, cluster: Cluster, refusal: Refusal, error_type: type[PodtraceError]
) -> None:
    api.refusals["get pods"] = refusal
    with pytest.raises(error_type) as caught:
        cluster.get_pod("shop", "api-0")
    assert refusal.message in caught.value.message


def test_a_busy_api_server_is_asked_again(api: FakeApi, cluster: Cluster) -> None:
    api.refusals["get pods"] = Refusal(status=429, reason="TooManyRequests", message="slow down", once=True)
    assert cluster.get_pod("shop", "api-0") is None
    assert len(api.calls("GET")) == 2


def test_an_api_server_that_stays_busy_is_quoted(api: FakeApi, cluster: Cluster) -> None:
    api.refusals["get pods"] = Refusal(status=429, reason="TooManyRequests", message="slow down")
    with pytest.raises(ApiError, match="slow down"):
        cluster.get_pod("shop", "api-0")


def test_a_log_that_may_not_be_read_is_told(api: FakeApi, cluster: Cluster) -> None:
    api.refusals["get pods/log"] = Refusal(status=403, message='User "bob" cannot get resource "pods/log"')
    with pytest.raises(PermissionDeniedError) as caught:
        cluster.open_log("shop", "t", container="tracer", since=None, follow=True, silence_s=1)
    assert caught.value.hint == "check with: kubectl auth can-i get pods --subresource=log -n shop"


def test_events_that_may_not_be_read_are_done_without(api: FakeApi, cluster: Cluster) -> None:
    api.refusals["list events"] = Refusal(status=403, message="no")
    assert cluster.pod_events("shop", "api-0") == ()
