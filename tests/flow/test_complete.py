from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.cli import complete
from kubectl_podtrace.cli.main import main
from tests.flow.fake_api import FakeApi, Refusal, target_pod

ROOT = Path(__file__).parents[2]
NO_SPACE, NO_FILES, KEEP_ORDER = 2, 4, 32
FIRST_WORDS = ["deploy/", "local", "check", "clean", "completion"]

Completed = Callable[..., tuple[dict[str, str], int]]


def ended_pod(name: str) -> dict[str, Any]:
    terminated = {"name": "app", "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}
    return target_pod(name, phase="Succeeded", containerStatuses=[terminated])


def crashing_pod(name: str) -> dict[str, Any]:
    waiting = {"name": "app", "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    return target_pod(name, containerStatuses=[waiting])


@pytest.fixture
def completed(
    api: FakeApi, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Completed:
    """The candidates with their descriptions, in order, and the directive; nothing else may be printed."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    api.phases.update(shop="Active", store="Active", old="Terminating")
    api.pods["shop", "batch-0"] = ended_pod("batch-0")
    api.pods["shop", "crash-0"] = crashing_pod("crash-0")
    api.pods["shop", "web-0"] = target_pod("web-0")
    api.pods["store", "till-0"] = target_pod("till-0", namespace="store")
    api.deployments["shop", "web"] = {"spec": {"selector": {"matchLabels": {"app": "web"}}}}

    def complete_line(*words: str) -> tuple[dict[str, str], int]:
        assert main(["__complete", *words]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        *candidates, directive = shown.out.splitlines()
        found = {value: said for value, _, said in (line.partition("\t") for line in candidates)}
        return found, int(directive.removeprefix(":"))

    return complete_line


def test_pods_come_with_their_state_and_those_that_ended_last(completed: Completed) -> None:
    found, directive = completed("")
    assert list(found) == ["web-0", "crash-0", "batch-0", *FIRST_WORDS]
    assert found["web-0"] == "Running, 1/1 ready, 5d"
    assert found["crash-0"] == "CrashLoopBackOff, 0/1 ready, 5d"
    assert directive == NO_FILES | KEEP_ORDER


def test_what_is_typed_of_a_pod_narrows_the_pods(completed: Completed) -> None:
    assert list(completed("w")[0]) == ["web-0"]
    assert list(completed("c")[0]) == ["crash-0", "check", "clean", "completion"]
    assert list(completed("check", "c")[0]) == ["crash-0"]


def test_the_flags_before_the_pod_say_which_cluster_is_asked_for_which_namespace(
    api: FakeApi, completed: Completed, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG")
    flags = ["-nstore", f"--kubeconfig={kubeconfig}", "--as", "alice", "--context", "fake"]
    assert list(completed(*flags, "t")[0]) == ["till-0"]
    assert api.requests[0].headers["Impersonate-User"] == "alice"
    assert completed(*flags[:-1], "other", "t") == ({}, NO_FILES | KEEP_ORDER)


def test_a_deployment_is_offered_behind_its_prefix(completed: Completed) -> None:
    assert completed("dep") == ({"deploy/": "one of a deployment's pods"}, NO_SPACE | NO_FILES | KEEP_ORDER)
    assert completed("deploy/") == ({"deploy/web": "1/1 ready, 5d"}, NO_FILES | KEEP_ORDER)
    assert list(completed("deployments.apps/w")[0]) == ["deployments.apps/web"]
    assert completed("job/w") == ({}, NO_FILES)


def test_a_pod_is_offered_behind_its_prefix(completed: Completed) -> None:
    assert list(completed("po")[0]) == ["pod/"]
    assert list(completed("pod/")[0]) == ["pod/web-0", "pod/crash-0", "pod/batch-0"]


def test_behind_the_pod_only_flags_are_left(completed: Completed) -> None:
    found, _ = completed("web-0", "")
    assert {"--diagnose", "--filter"} <= set(found)
    assert completed("web-0", "w") == ({}, NO_FILES | KEEP_ORDER)


@pytest.mark.parametrize("flag", [["-n"], ["clean", "--namespace"], ["--tracer-namespace"]])
def test_namespaces_are_offered(completed: Completed, flag: list[str]) -> None:
    assert completed(*flag, "")[0] == {"shop": "Active, 5d", "store": "Active, 5d", "old": "Terminating, 5d"}
    assert list(completed(*flag[:-1], f"{flag[-1]}=s")[0]) == ["shop", "store"]


def test_containers_are_those_of_the_pod_that_is_typed(api: FakeApi, completed: Completed) -> None:
    api.pods["shop", "web-0"]["spec"]["initContainers"] = [{"name": "setup", "image": "setup:2"}]
    expected = {"app": "shop:1", "setup": "init, setup:2"}
    assert completed("web-0", "-c", "")[0] == expected
    api.pods = {key: pod for key, pod in api.pods.items() if key[1] == "web-0"}
    assert completed("deploy/web", "--container=")[0] == expected
    assert completed("nobody", "-c", "") == ({}, NO_FILES | KEEP_ORDER)
    assert completed("-c", "") == ({}, NO_FILES)
    assert completed("../etc", "-c", "")[0] == {}


def test_of_many_pods_all_pages_are_read_until_five_hundred_fit(api: FakeApi, completed: Completed) -> None:
    for number in range(1200):
        api.pods["shop", f"job-{number:04}"] = target_pod(f"job-{number:04}")
    assert list(completed("web")[0]) == ["web-0"]
    assert len(api.requests) == 3
    api.requests.clear()
    assert len(completed("job-")[0]) == 998
    assert len(api.requests) == 2


def test_a_server_without_tables_is_understood(api: FakeApi, completed: Completed) -> None:
    api.prints_tables = False
    assert completed("w") == ({"web-0": ""}, NO_FILES | KEEP_ORDER)


@pytest.mark.parametrize(
    "name", ["$(touch /tmp/x)", "a b", "`id`", "-rf;", ":4", "_activeHelp_ x", "a\tb", "a\nb", "x\x1b[31m"]
)
def test_a_name_that_a_shell_would_take_for_more_is_not_offered(api: FakeApi, completed: Completed, name: str) -> None:
    api.pods["shop", "evil"] = target_pod(name)
    assert name not in completed("check", "")[0]
    assert list(completed("check", "")[0]) == ["web-0", "crash-0", "batch-0", "deploy/"]


def test_contexts_come_from_the_kubeconfig_alone(
    api: FakeApi, completed: Completed, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    arn = "arn:aws:eks:eu-west-1:1234:cluster/prod"
    other.write_text(json.dumps({"contexts": [{"name": arn, "context": {"cluster": "prod"}}, {"name": "a b"}]}))
    monkeypatch.setenv("KUBECONFIG", f"{kubeconfig}{os.pathsep}{other}")
    assert completed("--context", "") == ({"fake": "cluster fake", arn: "cluster prod"}, NO_FILES)
    assert completed("--kubeconfig", str(other), "--context=arn:")[0] == {arn: "cluster prod"}
    assert api.requests == []


def test_what_the_terminal_s_encoding_lacks_is_escaped(
    kubeconfig: Path, completed: Completed, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig.write_text(kubeconfig.read_text().replace('"cluster": "fake"', '"cluster": "f\\u00e4ke"'))
    printed = TextIOWrapper(BytesIO(), encoding="ascii")
    with monkeypatch.context() as with_old_terminal:
        with_old_terminal.setattr(sys, "stdout", printed)
        assert main(["__complete", "--context", ""]) == 0
    printed.seek(0)
    assert printed.read() == "fake\tcluster f\\xe4ke\n:4\n"


def test_missing_rights_leave_what_needs_none(api: FakeApi, completed: Completed) -> None:
    for resource in ("pods", "namespaces", "deployments"):
        api.refusals[f"list {resource}"] = Refusal(status=403, message="no")
    assert list(completed("")[0]) == FIRST_WORDS
    assert completed("-n", "") == ({}, NO_FILES)
    assert completed("deploy/")[0] == {}


def test_without_a_kubeconfig_nothing_is_said(
    completed: Completed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kubeconfig in (tmp_path / "none", tmp_path):
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        assert list(completed("")[0]) == FIRST_WORDS
        assert completed("--context", "")[0] == {}
    broken = tmp_path / "broken"
    broken.write_text("{")
    assert completed("--kubeconfig", str(broken), "-n", "") == ({}, NO_FILES)
    assert completed("--kubeconfig", str(broken), "--context", "") == ({}, NO_FILES)


def test_a_namespace_that_cannot_be_is_not_asked_for(api: FakeApi, completed: Completed) -> None:
    assert list(completed("-n", "../kube-system", "")[0]) == ["deploy/"]
    assert api.requests == []


def test_a_cluster_that_does_not_answer_is_not_waited_for(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = tmp_path / "silent"
        api.write_kubeconfig(path, server=f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("KUBECONFIG", str(path))
        assert complete.run(["check", "-n", ""], patience_s=0.5) == 0
        assert capsys.readouterr() == (":4\n", "")
        silent.accept()[0].close()  # it was asked


def test_a_credential_program_that_hangs_does_not_hold_the_shell(tmp_path: Path, api: FakeApi) -> None:
    """A program of its own, for it must also come to its end."""
    path = api.write_kubeconfig(tmp_path / "kubeconfig")
    document = json.loads(path.read_text())
    # It waits until its stdin is closed, which is when this test is over.
    waiting = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "interactiveMode": "Always"}
    document["users"][0]["user"] = {"exec": {**waiting, "args": [str(tmp_path / "fifo")]}}
    path.write_text(json.dumps(document))
    os.mkfifo(tmp_path / "fifo")
    command = [sys.executable, "-m", "kubectl_podtrace", "__complete", "--kubeconfig", str(path), "-n", ""]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    finally:
        # Whoever still reads the fifo comes to its end.
        os.close(os.open(tmp_path / "fifo", os.O_RDWR | os.O_NONBLOCK))
    assert (done.returncode, done.stdout, done.stderr) == (0, b":4\n", b"")
