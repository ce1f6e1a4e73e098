from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from kubectl_podtrace.cluster.client import Cluster, connect
from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions
from kubectl_podtrace.cluster.lifecycle import ClusterSource
from kubectl_podtrace.names import TRACER_SELECTOR
from tests.cluster.conftest import SHELL_IMAGE, Kubectl, Told

LEASE_S: Final = 5
LEFT_WITHIN_S: Final = LEASE_S + 10
PATIENCE_S: Final = 60.0

needs_image = pytest.mark.skipif(
    not os.environ.get("PODTRACE_IMAGE"), reason="PODTRACE_IMAGE does not name the tracer's image"
)


@pytest.fixture(scope="module")
def busy(kubectl: Kubectl) -> Iterator[str]:
    """The name of a pod that reads a file again and again."""
    container = {
        "name": "reader",
        "image": SHELL_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "while cat /etc/passwd >/dev/null; do sleep 0.1; done"],
    }
    name = f"busy-{secrets.token_hex(3)}"
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    yield name
    kubectl("delete", "pod", name, "--wait=false")


@pytest.fixture
def no_leftovers(kubectl: Kubectl) -> Iterator[None]:
    """Deletes the tracer pods of clients that were killed, so that the next test finds none."""
    yield
    kubectl("delete", "pods", "-l", TRACER_SELECTOR, "--grace-period=0", "--force")


def trace(kubectl: Kubectl, pod: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kubectl_podtrace", "-n", kubectl.namespace, pod, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    assert process.stderr is not None
    seen = []
    for text in process.stderr:
        seen.append(text.strip())
        if seen[-1] == line:
            return
    pytest.fail(f"no {line!r} on stderr, but {seen}")


def interrupted(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The report of a trace that gets Ctrl+C: whole, and nothing is left in the cluster."""
    wait_for(process, "tracing")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    report: dict[str, Any] = json.loads(out)
    assert report["trust"]["complete"], report["trust"]
    assert report["cleanup"]["deleted"]
    return report


def phases(kubectl: Kubectl) -> list[str]:
    """What the tracer pods are in; one that is about to run counts as running."""
    listed = json.loads(kubectl("get", "pods", "-l", TRACER_SELECTOR, "-o", "json"))
    return [pod["status"]["phase"] for pod in listed["items"]]


def seconds_until_none_runs(kubectl: Kubectl) -> float:
    began = time.monotonic()
    while set(phases(kubectl)) - {"Succeeded", "Failed"}:
        assert time.monotonic() - began < PATIENCE_S, phases(kubectl)
        time.sleep(0.2)
    return time.monotonic() - began


@needs_image
@pytest.mark.usefixtures("no_leftovers")
@pytest.mark.parametrize("moment", ["waiting for the node", "tracer started", "compiling the probes", "tracing"])
def test_a_client_that_is_killed_leaves_no_tracer_running(kubectl: Kubectl, busy: str, moment: str) -> None:
    process = trace(kubectl, busy, "--diagnose", "1h", "--lease", f"{LEASE_S}s", "--filter", "fs")
    wait_for(process, moment)
    process.kill()
    process.communicate()
    # A pod that was only just asked for takes a moment to run at all.
    kubectl.until(lambda: "Pending" not in phases(kubectl), "the tracer pod runs")
    assert seconds_until_none_runs(kubectl) < LEFT_WITHIN_S


@needs_image
@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("no_leftovers")
def test_fifty_clients_that_are_killed_at_any_moment_leave_no_tracer_running(kubectl: Kubectl, busy: str) -> None:
    late = {}
    for number in range(50):
        process = trace(kubectl, busy, "--diagnose", "1h", "--lease", f"{LEASE_S}s", "--filter", "fs")
        time.sleep(number * 0.15)
        process.kill()
        process.communicate()
        kubectl.until(lambda: "Pending" not in phases(kubectl), "the tracer pod runs")
        late[number] = seconds_until_none_runs(kubectl)
    assert max(late.values()) < LEFT_WITHIN_S, late


@needs_image
@pytest.mark.usefixtures("nothing_left")
def test_ctrl_c_is_told_to_the_tracer_as_a_line(kubectl: Kubectl, busy: str) -> None:
    report = interrupted(trace(kubectl, busy, "--export", "json", "--filter", "fs"))
    assert report["trust"]["remarks"] == []
    assert report["cleanup"]["gone_after_ns"] is not None


@pytest.fixture
def without_attach(kubectl: Kubectl) -> Iterator[str]:
    """A user who may do everything that a trace needs but attach to pods."""
    name = f"podtrace-{secrets.token_hex(3)}"
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "create", "delete"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}
    kubectl.apply(role)
    kubectl("create", "rolebinding", name, f"--role={name}", f"--user={name}")
    yield name
    kubectl("delete", "role,rolebinding", name)


@needs_image
@pytest.mark.usefixtures("nothing_left")
def test_a_user_who_may_not_attach_gets_a_report_that_says_so(kubectl: Kubectl, busy: str, without_attach: str) -> None:
    report = interrupted(trace(kubectl, busy, "--export", "json", "--filter", "fs", "--as", without_attach))
    (remark,) = report["trust"]["remarks"]
    assert "pods/attach" in remark
    assert "at its deadline only" in remark


@pytest.mark.usefixtures("nothing_left")
def test_stdin_goes_on_where_an_attachment_was_cut(
    cluster: Cluster, kubectl: Kubectl, stand_in: Callable[..., dict[str, Any]], told: Told
) -> None:
    manifest = stand_in("echo up; while IFS= read -r line; do echo got $line; done; echo end of stdin")
    name = manifest["metadata"]["name"]
    other = connect(ConnectionOptions(), os.environ)

    def say(data: bytes) -> None:
        stdin = other.attach_stdin(kubectl.namespace, name, container="tracer", timeout_s=5)
        stdin.send(data, within_s=5)
        assert stdin.is_heard(within_s=5)
        stdin.close()

    pieces = [b"one\n", b"tw", b"o\n", b"three\nlast\n"]
    got = []
    with ClusterSource(
        cluster=cluster, manifest=manifest, observer=told, is_last=lambda line: line == b"got last"
    ) as source:
        for line in source.lines():
            if line == b"up":
                for piece in pieces:
                    say(piece)
            if line not in (b"got ping", b"up"):
                got.append(line)
    assert b"end of stdin" not in got
    # Our own pings come between the pieces, and may land in the middle of a line.
    assert b"".join(got).replace(b"got ", b"").replace(b"ping", b"") == b"onetwothreelast"
