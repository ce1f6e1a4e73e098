from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from kubectl_podtrace.names import TRACER_SELECTOR
from tests.cluster import webhook
from tests.cluster.conftest import SHELL_IMAGE, Kubectl

PYTHON_IMAGE: Final = os.environ.get("PODTRACE_TEST_PYTHON_IMAGE", "docker.io/library/python:3-slim")
NEEDED: Final = {"get pods", "create pods", "delete pods", "get pods/log"}

Podtrace = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PODTRACE_IMAGE"), reason="PODTRACE_IMAGE does not name the tracer's image"),
    pytest.mark.usefixtures("nothing_left"),
]


@pytest.fixture
def podtrace(kubectl: Kubectl, state: dict[str, str]) -> Podtrace:
    """Runs `kubectl podtrace` in the test's namespace, with a state directory of the test's own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        verb = arguments[:1] if arguments[0] in {"check", "clean"} else ()
        rest = arguments[len(verb) :]
        command = [sys.executable, "-m", "kubectl_podtrace", *verb, "-n", kubectl.namespace, *rest]
        return subprocess.run(command, env=state, capture_output=True, text=True, check=False, timeout=100)

    return run


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path)}


@pytest.fixture
def idle(kubectl: Kubectl) -> Iterator[str]:
    """The name of a pod that does nothing."""
    name = f"idle-{secrets.token_hex(3)}"
    container = {"name": "idle", "image": SHELL_IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "3600"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    try:
        kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        yield name
    finally:
        kubectl("delete", "pod", name, "--wait=false")


@pytest.fixture
def user(kubectl: Kubectl) -> Iterator[Callable[[set[str]], str]]:
    """Makes a user with just these rights in the test's namespace; the cluster lets `--as` be them."""
    made: list[str] = []

    def make(rights: set[str]) -> str:
        name = f"podtrace-test-{secrets.token_hex(3)}"
        made.append(name)
        rules = [
            {"apiGroups": [""], "resources": [resource], "verbs": [verb]}
            for verb, resource in (right.split() for right in sorted(rights))
        ]
        version = "rbac.authorization.k8s.io/v1"
        kubectl.apply({"apiVersion": version, "kind": "Role", "metadata": {"name": name}, "rules": rules})
        kubectl("create", "rolebinding", name, f"--role={name}", f"--user={name}")
        return name

    yield make
    for name in made:
        kubectl("delete", "role,rolebinding", name)


def answers(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.stdout, done.stderr
    return {each["question"]: each["answer"] for each in json.loads(done.stdout)["answers"]}


@pytest.mark.parametrize("lacking", ["get pods/log", "delete pods", "create pods"])
def test_a_user_without_a_right_is_told_which_and_nothing_is_created(
    podtrace: Podtrace, idle: str, user: Callable[[set[str]], str], lacking: str
) -> None:
    name = user(NEEDED - {lacking})
    done = podtrace(idle, "--diagnose", "1s", "--as", name)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"error: you may not {lacking} in namespace" in done.stderr
    assert "hint: check with: kubectl auth can-i" in done.stderr
    assert "waiting for the node" not in done.stderr
    checked = podtrace("check", idle, "--as", name, "-o", "json")
    assert checked.returncode == 4
    found = answers(checked)
    assert {question for question, answer in found.items() if answer == "no"} >= {f"may {lacking}", "may get nodes"}
    assert NEEDED - {lacking} == {right for right in NEEDED if found[f"may {right}"] == "yes"}


def test_a_user_with_the_needed_rights_alone_can_trace_and_is_told_what_is_missing(
    podtrace: Podtrace, idle: str, user: Callable[[set[str]], str]
) -> None:
    done = podtrace(idle, "--diagnose", "1s", "--filter", "fs", "--as", user(NEEDED), "-o", "json")
    assert done.returncode == 0, done.stderr
    notices = " ".join(each["text"] for each in json.loads(done.stdout)["notices"])
    assert "list events" in notices
    assert "get nodes" in notices


def test_everything_is_well_for_the_admin(podtrace: Podtrace, idle: str) -> None:
    done = podtrace("check", idle, "-o", "json")
    assert done.returncode == 0, done.stdout
    assert set(answers(done).values()) == {"yes"}


@pytest.fixture
def ghost(kubectl: Kubectl) -> Iterator[Callable[..., str]]:
    """Makes a node without a machine, and a pod on it; the pod's name."""
    made: list[str] = []

    def make(labels: dict[str, str]) -> str:
        name = f"zz-podtrace-test-{secrets.token_hex(3)}"
        made.append(name)
        node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        kubectl.apply({**node, "spec": {"unschedulable": True}})
        raw = json.loads(kubectl("get", "node", name, "-o", "json"))
        ready = {"type": "Ready", "status": "Unknown", "reason": "Lost", "message": "nobody has heard of it"}
        raw["status"]["conditions"] = [ready]
        kubectl("replace", "--raw", f"/api/v1/nodes/{name}/status", "-f", "-", stdin=json.dumps(raw))
        container = {"name": "main", "image": SHELL_IMAGE}
        spec = {"nodeName": name, "containers": [container], "tolerations": [{"operator": "Exists"}]}
        kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
        return name

    yield make
    for name in made:
        kubectl("delete", "pod", name, "--grace-period=0", "--force")
        kubectl("delete", "node", name)


@pytest.mark.parametrize(
    ("labels", "words"),
    [({}, "is not ready: nobody has heard of it"), ({"type": "virtual-kubelet"}, "is a virtual one (virtual kubelet)")],
)
def test_a_node_on_which_no_tracer_could_run_is_told_at_once(
    podtrace: Podtrace, ghost: Callable[..., str], labels: dict[str, str], words: str
) -> None:
    done = podtrace(ghost(labels), "--diagnose", "1s")
    assert done.returncode == 6
    assert words in done.stderr
    assert "waiting for the node" not in done.stderr


@pytest.fixture
def guarded(kubectl: Kubectl) -> Iterator[None]:
    """The test's namespace carries the label by which the webhook is called."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the webhook's certificate, is not installed")
    kubectl("label", "namespace", kubectl.namespace, f"podtrace-test={kubectl.namespace}", "--overwrite")
    yield
    kubectl("label", "namespace", kubectl.namespace, "podtrace-test-")


@pytest.mark.usefixtures("guarded")
def test_an_admission_webhook_s_refusal_is_quoted_before_anything_is_created(
    kubectl: Kubectl, podtrace: Podtrace, idle: str
) -> None:
    with webhook.refusing_webhook(kubectl, PYTHON_IMAGE):
        done = podtrace(idle, "--diagnose", "1s")
        checked = podtrace("check", idle)
    assert done.returncode == checked.returncode == 6
    assert webhook.WORDS in done.stderr
    assert "waiting for the node" not in done.stderr
    assert webhook.WORDS in " ".join(checked.stdout.split())


@pytest.mark.usefixtures("guarded")
def test_a_webhook_that_cannot_try_is_heard_at_the_creation(kubectl: Kubectl, podtrace: Podtrace, idle: str) -> None:
    if not webhook.is_served("v1beta1"):
        pytest.skip("this cluster has no webhooks that do not support dry run (admissionregistration.k8s.io/v1beta1)")
    with webhook.refusing_webhook(kubectl, PYTHON_IMAGE, version="v1beta1", sideEffects="Unknown"):
        checked = podtrace("check", idle, "-o", "json")
        done = podtrace(idle, "--diagnose", "1s")
    assert (checked.returncode, answers(checked)["admission"]) == (0, "unknown")
    assert "does not support dry run" in checked.stdout
    assert done.returncode == 6
    assert webhook.WORDS in done.stderr


def killed_while_tracing(kubectl: Kubectl, state: dict[str, str], pod: str) -> str:
    """A trace whose program is killed; the name of the tracer pod that it leaves."""
    command = [sys.executable, "-m", "kubectl_podtrace", "-n", kubectl.namespace, pod, "--diagnose", "1h"]
    with subprocess.Popen(command, env=state, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line.strip())
            if said[-1] == "tracing":
                break
        process.send_signal(signal.SIGKILL)
    assert said[-1:] == ["tracing"], said
    (left,) = tracer_pods(kubectl)
    return left


def tracer_pods(kubectl: Kubectl) -> list[str]:
    return [line.partition("/")[2] for line in kubectl("get", "pods", "-l", TRACER_SELECTOR, "-o", "name").split()]


def test_the_next_trace_removes_what_a_killed_one_left(
    kubectl: Kubectl, podtrace: Podtrace, idle: str, state: dict[str, str]
) -> None:
    left = killed_while_tracing(kubectl, state, idle)
    done = podtrace(idle, "--diagnose", "1s", "--filter", "fs", "-o", "json")
    assert done.returncode == 0, done.stderr
    notices = [each["text"] for each in json.loads(done.stdout)["notices"]]
    assert f"removed 1 tracer pod that earlier traces of yours left behind: {left}" in notices
    kubectl.until(lambda: tracer_pods(kubectl) == [], "the leftover's end")


def test_clean_removes_what_a_killed_trace_left_and_nothing_of_others(
    kubectl: Kubectl, podtrace: Podtrace, idle: str, state: dict[str, str]
) -> None:
    left = killed_while_tracing(kubectl, state, idle)
    other = subprocess.run(
        [sys.executable, "-m", "kubectl_podtrace", "clean", "-n", kubectl.namespace],
        env={**state, "XDG_STATE_HOME": state["XDG_STATE_HOME"] + "/other"},
        capture_output=True, text=True, check=True, timeout=100,
    )  # fmt: skip
    # Where the cluster tells who the user is (1.28), the pod is the user's own: running, so it is left all the same.
    assert "removed 0 tracer pods" in other.stdout or "there is no tracer pod of yours" in other.stdout
    assert left in tracer_pods(kubectl)
    done = podtrace("clean")
    assert done.returncode == 0, done.stderr
    assert left in done.stdout
    assert done.stdout.endswith("removed 1 tracer pod\n")
    kubectl.until(lambda: tracer_pods(kubectl) == [], "the leftover's end")
