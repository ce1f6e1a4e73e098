from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.cluster.client import Cluster, connect
from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions
from kubectl_podtrace.cluster.lifecycle import ClusterSource
from kubectl_podtrace.cluster.lifeline import Pace
from kubectl_podtrace.errors import ClusterUnreachableError, PermissionDeniedError
from kubectl_podtrace.wire.request import ACK_LINE, PING_LINE, STOP_LINE
from tests.flow.conftest import QuickClock, Told
from tests.flow.fake_api import ENDED, RUNNING, WAIT_S, Call, FakeApi, Refusal, Until, stamped

QUICK = Pace(ping_s=0.02, answer_s=0.2, first_pause_s=0.02, longest_pause_s=0.05, open_within_s=0.3)
FORBIDDEN = Refusal(status=403, message='User "bob" cannot get resource "pods/attach"')
NO_UPGRADE = Refusal(status=400, reason="BadRequest", message="Upgrade request required")

MakeSource = Callable[..., ClusterSource]


@pytest.fixture
def make_source(cluster: Cluster, manifest: dict[str, Any], told: Told, clock: QuickClock) -> MakeSource:
    """A source with quick pings; keywords as of ClusterSource."""

    def make(**others: Any) -> ClusterSource:
        defaults: dict[str, Any] = {"observer": told, "clock": clock, "pace": QUICK}
        return ClusterSource(
            cluster=cluster, manifest=manifest, is_last=lambda line: line == b"last", **{**defaults, **others}
        )

    return make


@pytest.fixture
def unawaited(manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "name": "podtrace-api-0-other"}}


def run(source: ClusterSource, *, stop_at: bytes = b"") -> list[bytes]:
    got = []
    with source:
        for line in source.lines():
            got.append(line)
            if line == stop_at:
                source.stop()
    return got


def graces(api: FakeApi) -> list[int]:
    return [call.body["gracePeriodSeconds"] for call in api.calls("DELETE")]


def tracer(api: FakeApi) -> list[Any]:
    """A log that ends when the tracer is told to stop."""
    return [stamped(b"first"), Until(event=api.stopped), stamped(b"last", second=1)]


def test_a_stop_is_a_line_and_the_last_line_is_acknowledged(api: FakeApi, make_source: MakeSource, told: Told) -> None:
    api.starts, api.logs = [RUNNING], [tracer(api)]
    assert run(make_source(), stop_at=b"first") == [b"first", b"last"]
    told_lines = [line for line in api.stdin.lines if line != PING_LINE]
    assert (api.stdin.lines[0], told_lines) == (PING_LINE, [STOP_LINE, ACK_LINE])
    assert graces(api) == [0]
    assert (told.notices, told.doubts) == ([], [])


def test_the_tracer_is_pinged_until_it_ends(api: FakeApi, make_source: MakeSource) -> None:
    def enough() -> None:
        api.stdin.wait_for(PING_LINE, 5)

    api.starts, api.logs = [RUNNING], [[stamped(b"first"), Call(function=enough), stamped(b"last", second=1)]]
    assert run(make_source()) == [b"first", b"last"]
    # The server reads in a thread of its own, and one more ping may be on its way.
    api.stdin.wait_for(ACK_LINE, 1)


def test_only_stdin_is_attached(api: FakeApi, make_source: MakeSource) -> None:
    api.starts, api.logs = [RUNNING], [tracer(api)]
    run(make_source(), stop_at=b"first")
    query = api.calls("GET", "/attach")[0].query
    assert query == {"container": "tracer", "stdin": "true", "stdout": "false", "stderr": "false", "tty": "false"}


@pytest.mark.parametrize("cuts", [[1], [1, 2, 1]])
def test_a_broken_attachment_is_made_again(api: FakeApi, make_source: MakeSource, told: Told, cuts: list[int]) -> None:
    def after_the_cuts() -> None:
        api.stdin.wait_for(PING_LINE, sum(cuts) + 3)

    api.stdin.cuts = list(cuts)
    api.starts, api.logs = [RUNNING], [[Call(function=after_the_cuts), *tracer(api)]]
    assert run(make_source(), stop_at=b"first") == [b"first", b"last"]
    assert api.stdin.attachments == len(cuts) + 1
    assert graces(api) == [0]
    assert told.doubts == []


def test_a_peer_that_answers_nothing_may_still_pass_it_on(api: FakeApi, make_source: MakeSource) -> None:
    api.stdin.is_deaf = True
    api.starts, api.logs = [RUNNING], [tracer(api)]
    source = make_source(pace=replace(QUICK, answer_s=0.02))
    assert run(source, stop_at=b"first") == [b"first", b"last"]
    assert (api.stdin.attachments, graces(api)) == (1, [0])


def test_an_attachment_that_falls_silent_is_made_again(api: FakeApi, make_source: MakeSource) -> None:
    def fall_silent() -> None:
        api.stdin.wait_for(PING_LINE, 2)
        api.stdin.is_deaf = True
        while api.stdin.attachments < 2:
            api.stdin.wait_for(PING_LINE, len(api.stdin.lines) + 1)
        api.stdin.is_deaf = False

    api.starts, api.logs = [RUNNING], [[Call(function=fall_silent), *tracer(api)]]
    assert run(make_source(), stop_at=b"first") == [b"first", b"last"]
    assert (api.stdin.attachments, graces(api)) == (2, [0])


@pytest.mark.parametrize("refusal", [FORBIDDEN, NO_UPGRADE])
def test_where_attaching_is_refused_the_report_says_so_and_a_stop_deletes_the_pod(
    api: FakeApi, make_source: MakeSource, told: Told, refusal: Refusal
) -> None:
    api.refusals["get pods/attach"] = refusal
    api.starts, api.logs = [RUNNING], [tracer(api)]
    assert run(make_source(), stop_at=b"first") == [b"first", b"last"]
    assert graces(api) == [10, 0]
    (doubt,) = told.doubts
    assert refusal.message in doubt
    assert "at its deadline only" in doubt


def test_a_forbidden_attachment_is_tried_once(api: FakeApi, make_source: MakeSource) -> None:
    api.refusals["get pods/attach"] = FORBIDDEN
    api.starts, api.logs = [RUNNING], [tracer(api)]
    run(make_source(), stop_at=b"first")
    assert len(api.calls("GET", "/attach")) == 1


def test_a_tracer_that_awaits_us_in_vain_gives_way_to_one_that_does_not(
    api: FakeApi, make_source: MakeSource, told: Told, unawaited: dict[str, Any]
) -> None:
    api.refusals["get pods/attach"] = NO_UPGRADE
    api.starts, api.logs = [RUNNING], [[stamped(b"of the first")], tracer(api)]
    assert run(make_source(unawaited=unawaited), stop_at=b"first") == [b"first", b"last"]
    assert [pod["metadata"]["name"] for pod in api.created] == ["podtrace-api-0-abcde", "podtrace-api-0-other"]
    assert api.pods == {}
    assert len(told.doubts) == 1


def test_a_tracer_that_has_ended_at_once_is_read_and_not_replaced(
    api: FakeApi, make_source: MakeSource, told: Told, unawaited: dict[str, Any]
) -> None:
    api.refusals["get pods/attach"] = NO_UPGRADE
    api.starts, api.logs = [ENDED], [[stamped(b"last")]]
    assert run(make_source(unawaited=unawaited)) == [b"last"]
    assert (len(api.created), told.doubts) == (1, [])


def test_an_error_on_the_error_channel_is_no_attachment(api: FakeApi, make_source: MakeSource, told: Told) -> None:
    api.stdin.error = json.dumps({"kind": "Status", "status": "Failure", "message": "container is gone"}).encode()
    api.starts, api.logs = [RUNNING], [tracer(api)]
    assert run(make_source(), stop_at=b"first") == [b"first", b"last"]
    assert graces(api) == [10, 0]
    assert "container is gone" in told.doubts[0]


def test_a_stop_that_cannot_be_delivered_falls_back_to_deleting(
    api: FakeApi, make_source: MakeSource, told: Told
) -> None:
    def lose_it() -> None:
        api.refusals["get pods/attach"] = Refusal(status=500, reason="InternalError", message="no route to the node")

    api.stdin.cuts = [1]
    api.starts, api.logs = [RUNNING], [[Call(function=lose_it), *tracer(api)]]
    assert run(make_source(), stop_at=b"first") == [b"first", b"last"]
    assert graces(api) == [10, 0]


def test_a_tracer_that_does_not_do_what_it_was_told_is_deleted(api: FakeApi, make_source: MakeSource) -> None:
    deleted = threading.Event()
    api.stdin.hears = lambda line: api.stopped.clear() if line == STOP_LINE else None
    api.starts, api.logs = [RUNNING], [[stamped(b"first"), Until(event=deleted), stamped(b"last", second=1)]]

    def wait_for_the_delete() -> None:
        assert api.stopped.wait(WAIT_S)
        while not graces(api):
            api.stopped.wait(0.01)
        deleted.set()

    watcher = threading.Thread(target=wait_for_the_delete)
    watcher.start()
    assert run(make_source(pace=replace(QUICK, stop_within_s=0.1)), stop_at=b"first") == [b"first", b"last"]
    watcher.join()
    assert graces(api) == [10, 0]


def test_what_became_of_the_pod_is_known(api: FakeApi, make_source: MakeSource) -> None:
    api.starts, api.logs = [RUNNING], [[stamped(b"last")]]
    source = make_source()
    run(source)
    assert source.cleanup is not None
    assert (source.cleanup.namespace, source.cleanup.pod) == ("shop", "podtrace-api-0-abcde")
    assert source.cleanup.deleted
    assert source.cleanup.gone_after_ns is not None


def test_a_pod_that_could_not_be_deleted_is_known_as_such(api: FakeApi, make_source: MakeSource) -> None:
    api.starts, api.logs = [RUNNING], [[stamped(b"last")]]
    api.refusals["delete pods"] = Refusal(status=403, message='User "bob" cannot delete resource "pods"')
    source = make_source()
    run(source)
    assert source.cleanup is not None
    assert (source.cleanup.deleted, source.cleanup.gone_after_ns) == (False, None)


def test_an_attachment_carries_the_users_token_and_impersonation(api: FakeApi, kubeconfig: Path) -> None:
    options = ConnectionOptions(kubeconfig=str(kubeconfig), as_user="bob", as_groups=("dev", "ops"))
    stdin = connect(options, {}).attach_stdin("shop", "t", container="tracer", timeout_s=1)
    stdin.close()
    headers = {name.lower(): value for name, value in api.requests[0].headers.items()}
    assert headers["authorization"] == "Bearer secret-token"
    assert headers["impersonate-user"] == "bob"
    assert headers["host"] == f"127.0.0.1:{api.port}"
    assert "origin" not in headers


def test_a_refused_attachment_names_the_right(api: FakeApi, cluster: Cluster) -> None:
    api.refusals["get pods/attach"] = FORBIDDEN
    with pytest.raises(PermissionDeniedError) as refused:
        cluster.attach_stdin("shop", "t", container="tracer", timeout_s=1)
    assert refused.value.hint == "check with: kubectl auth can-i get pods --subresource=attach -n shop"


@pytest.fixture
def tunnel(api: FakeApi) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that knows CONNECT alone, and always leads to the fake; its address, and what it was asked."""
    asked: list[bytes] = []

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with source, target:
            while chunk := source.recv(4096):
                target.sendall(chunk)

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        asked.append(client.recv(4096))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        server = socket.create_connection(("127.0.0.1", api.port))
        threading.Thread(target=pass_on, args=(server.dup(), client.dup()), daemon=True).start()
        pass_on(client, server)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked


def test_an_attachment_goes_through_the_clusters_proxy(
    api: FakeApi, tmp_path: Path, tunnel: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    proxy, asked = tunnel
    path = api.write_kubeconfig(tmp_path / "proxied", server="http://cluster.invalid:8080", proxy_url=proxy)
    stdin = connect(ConnectionOptions(kubeconfig=str(path)), {}).attach_stdin("s", "t", container="c", timeout_s=1)
    stdin.send(b"line\n", within_s=1)
    assert stdin.is_heard(within_s=1)
    stdin.close()
    assert asked[0].startswith(b"CONNECT cluster.invalid:8080 HTTP/1")
    assert api.stdin.lines == [b"line\n"]


def test_a_server_that_speaks_no_websocket_is_told_as_unreachable(api: FakeApi, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        path = api.write_kubeconfig(tmp_path / "deaf", server=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        cluster = connect(ConnectionOptions(kubeconfig=str(path)), {})
        with pytest.raises(ClusterUnreachableError, match="no WebSocket to"):
            cluster.attach_stdin("shop", "t", container="tracer", timeout_s=0.05)
