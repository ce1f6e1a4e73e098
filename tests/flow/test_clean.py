from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.cli.main import main
from kubectl_podtrace.cli.own_traces import OwnTraces
from tests.flow import fake_stream
from tests.flow.fake_api import ENDED, RUNNING, FakeApi, Refusal, stamped, target_pod

Command = Callable[..., int]
OTHERS = "0123456789abcdef"


@pytest.fixture
def command(api: FakeApi, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("PODTRACE_IMAGE", "tracer:1")
    return lambda *arguments: main(arguments)


@pytest.fixture
def own(tmp_path: Path) -> OwnTraces:
    return OwnTraces(tmp_path / "state" / "kubectl-podtrace")


def ended(ago: timedelta) -> dict[str, Any]:
    at = (datetime.now(UTC) - ago).isoformat()
    state = {"terminated": {"exitCode": 0, "finishedAt": at}}
    return {**ENDED, "startTime": at, "containerStatuses": [{"name": "tracer", "state": state}]}


def put(
    api: FakeApi,
    session: str,
    client_id: str,
    status: dict[str, Any] = RUNNING,
    *,
    user: str = "ann",
    namespace: str = "shop",
) -> None:
    """A tracer pod that is there."""
    labels = {"app.kubernetes.io/name": "podtrace-tracer", "podtrace.io/session": session}
    annotations = {"podtrace.io/target": f"{namespace}/api-0", "podtrace.io/user": user}
    metadata = {
        "name": f"podtrace-{session}",
        "namespace": namespace,
        "creationTimestamp": datetime.now(UTC).isoformat(),
        "labels": {**labels, "podtrace.io/client": client_id},
        "annotations": annotations,
    }
    api.pods[namespace, f"podtrace-{session}"] = {
        "metadata": metadata,
        "spec": {"nodeName": "node-a"},
        "status": status,
    }


def left(api: FakeApi) -> set[str]:
    return {name for _, name in api.pods}


class Terminal(io.StringIO):
    """What stdin and stderr are when somebody sits there."""

    def isatty(self) -> bool:
        return True


@contextmanager
def somebody_there(monkeypatch: pytest.MonkeyPatch, typed: str) -> Iterator[Terminal]:
    shown = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", Terminal(typed))
        patch.setattr("sys.stderr", shown)
        yield shown


def test_one_s_own_leftovers_are_removed_and_nothing_else(
    api: FakeApi, command: Command, own: OwnTraces, capsys: pytest.CaptureFixture[str]
) -> None:
    put(api, "killed", own.client_id)
    put(api, "over", own.client_id, ended(timedelta(hours=1)))
    put(api, "elsewhere", OTHERS, user="bob")
    api.pods["shop", "api-0"] = target_pod()
    assert command("clean") == 0
    assert left(api) == {"podtrace-elsewhere", "api-0"}
    shown = capsys.readouterr()
    assert "running, its kubectl is gone  yours  shop/api-0  shop/podtrace-killed" in shown.out
    assert "ended 1 h 0 min ago" in shown.out
    assert shown.out.endswith("removed 2 tracer pods\n")
    assert "elsewhere" not in shown.out


def test_where_there_is_none_that_is_said(api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("clean") == 0
    assert command("clean", "-A", "--all") == 0
    assert capsys.readouterr().out == (
        'there is no tracer pod of yours in namespace "shop"\nthere is no tracer pod in any namespace\n'
    )


def test_a_trace_that_runs_is_left_alone_unless_somebody_says_yes(
    api: FakeApi,
    command: Command,
    own: OwnTraces,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(api, "runs", own.client_id)
    with own.running("runs"):
        assert command("clean") == 0
        assert left(api) == {"podtrace-runs"}
        shown = capsys.readouterr()
        assert "tracing, from here" in shown.out
        assert shown.out.endswith("removed 0 tracer pods; 1 left\n")
        assert "note: 1 tracer pod may still be tracing; --yes" in shown.err
        with somebody_there(monkeypatch, "n\n") as terminal:
            assert command("clean") == 0
        assert terminal.getvalue() == "1 tracer pod may still be tracing; remove? [y/N] "
        assert left(api) == {"podtrace-runs"}
        with somebody_there(monkeypatch, "y\n"):
            assert command("clean") == 0
        assert left(api) == set()


def test_the_same_user_s_pods_from_another_machine_are_their_own(api: FakeApi, command: Command) -> None:
    api.user = "ann"
    put(api, "long-over", OTHERS, ended(timedelta(hours=1)))
    put(api, "just-over", OTHERS, ended(timedelta(seconds=5)))
    put(api, "runs", OTHERS)
    put(api, "bobs", OTHERS, ended(timedelta(hours=1)), user="bob")
    assert command("clean") == 0
    assert left(api) == {"podtrace-just-over", "podtrace-runs", "podtrace-bobs"}
    assert command("clean", "--yes") == 0
    assert left(api) == {"podtrace-bobs"}


def test_everybody_s_are_removed_only_after_a_yes(
    api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(api, "bobs", OTHERS, ended(timedelta(hours=1)), user="bob")
    assert command("clean", "--all") == 2
    assert "hint: add --yes" in capsys.readouterr().err
    with somebody_there(monkeypatch, "\n") as terminal:
        assert command("clean", "--all") == 0
    assert terminal.getvalue() == "remove 1 tracer pod? [y/N] "
    assert left(api) == {"podtrace-bobs"}
    assert command("clean", "--all", "--yes") == 0
    assert left(api) == set()
    assert "bob" in capsys.readouterr().out


def test_other_namespaces_are_looked_at_when_asked(api: FakeApi, command: Command, own: OwnTraces) -> None:
    put(api, "here", own.client_id)
    put(api, "there", own.client_id, namespace="tools")
    assert command("clean", "-n", "tools") == 0
    assert left(api) == {"podtrace-here"}
    put(api, "there", own.client_id, namespace="tools")
    assert command("clean", "-A") == 0
    assert left(api) == set()


def test_what_may_not_be_removed_is_named_and_the_code_says_so(
    api: FakeApi, command: Command, own: OwnTraces, capsys: pytest.CaptureFixture[str]
) -> None:
    put(api, "over", own.client_id, ended(timedelta(hours=1)))
    api.refusals["delete pods"] = Refusal(status=403, message='User "bob" cannot delete resource "pods"')
    assert command("clean") == 4
    shown = capsys.readouterr()
    assert "note: shop/podtrace-over: you may not delete pods" in shown.err
    assert shown.out.endswith("removed 0 tracer pods; 1 left\n")


def test_a_user_who_may_not_look_is_told(api: FakeApi, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    api.refusals["list pods"] = Refusal(status=403, message='User "bob" cannot list resource "pods"')
    assert command("clean", "-A") == 4
    assert "error: you may not list pods: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-n", "shop", "-A"], ["-n", "Shop!"], ["api-0"], ["--request-timeout", "x"]])
def test_a_clean_that_makes_no_sense_asks_no_cluster(api: FakeApi, command: Command, arguments: list[str]) -> None:
    assert command("clean", *arguments) == 2
    assert api.requests == []


@pytest.fixture
def traceable(api: FakeApi) -> None:
    api.pods["shop", "api-0"] = target_pod()
    api.starts = [RUNNING]
    api.logs = [[stamped(*fake_stream.beginning()), stamped(*fake_stream.end(), second=1)]]


@pytest.mark.usefixtures("traceable")
def test_the_next_trace_removes_what_is_left_over_and_its_report_says_so(
    api: FakeApi, command: Command, own: OwnTraces, capsys: pytest.CaptureFixture[str]
) -> None:
    put(api, "killed", own.client_id)
    put(api, "bobs", OTHERS, ended(timedelta(hours=1)), user="bob")
    put(api, "runs", own.client_id)
    with own.running("runs"):
        assert command("api-0", "--diagnose", "1s", "--export", "json") == 0
    assert left(api) == {"api-0", "podtrace-bobs", "podtrace-runs"}
    notices = json.dumps(json.loads(capsys.readouterr().out)["notices"])
    assert "removed 1 tracer pod that earlier traces of yours left behind: podtrace-killed" in notices


@pytest.mark.usefixtures("traceable")
def test_leftovers_that_cannot_be_removed_do_not_stop_a_trace(
    api: FakeApi, command: Command, own: OwnTraces, capsys: pytest.CaptureFixture[str]
) -> None:
    put(api, "killed", own.client_id)
    api.refusals["delete pods"] = Refusal(status=409, reason="Conflict", message="not now", once=True)
    assert command("api-0", "--diagnose", "1s") == 0
    assert "could not be removed" in capsys.readouterr().err
    assert left(api) == {"api-0", "podtrace-killed"}


@pytest.mark.usefixtures("traceable")
def test_a_trace_s_pod_carries_whose_it_is(api: FakeApi, command: Command, own: OwnTraces) -> None:
    api.user = "ann@example.com"
    assert command("api-0", "--diagnose", "1s") == 0
    (created,) = api.created
    assert created["metadata"]["labels"]["podtrace.io/client"] == own.client_id
    assert created["metadata"]["annotations"]["podtrace.io/user"] == "ann@example.com"
