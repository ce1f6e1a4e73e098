from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.cluster.conftest import Kubectl
from tests.cluster.tracing import podtrace, running_pod, shell
from tests.terminal import Terminal

OPERATIONS: Final = 7919
BLOCK_BYTES: Final = 1021
SIDE_OPERATIONS: Final = 1009
SIDE_BYTES: Final = 509
REFUSALS: Final = 13
CLOSED_PORT: Final = 9
DURATION_S: Final = 5
HEADER_WITHIN_S: Final = 2.5
PROBES_WITHIN_S: Final = 4.5

# Each load waits at a pipe: nothing else happens in its container, not even a sleep, until the test says so. What the
# test itself does goes through a container of its own, because an exec is traced like everything else.
LOAD: Final = f"""
dd if=/dev/zero of=/data/in bs={BLOCK_BYTES} count={OPERATIONS} 2>/dev/null
mkfifo /data/go.load; touch /data/ready.load; read -r _ </data/go.load
dd if=/data/in of=/data/out bs={BLOCK_BYTES} count={OPERATIONS} conv=fsync 2>/dev/null
i=0; while [ $i -lt {REFUSALS} ]; do nc 127.0.0.1 {CLOSED_PORT} </dev/null; i=$((i+1)); done
mkfifo /data/never; touch /data/done.load; read -r _ </data/never
"""
SIDE: Final = f"""
dd if=/dev/zero of=/data/side.in bs={SIDE_BYTES} count={SIDE_OPERATIONS} 2>/dev/null
mkfifo /data/go.side; touch /data/ready.side; read -r _ </data/go.side
dd if=/data/side.in of=/data/side.out bs={SIDE_BYTES} count={SIDE_OPERATIONS} 2>/dev/null
mkfifo /data/never.side; touch /data/done.side; read -r _ </data/never.side
"""
GO: Final = """
for each in load side; do echo >/data/go.$each; done
while [ ! -e /data/done.load ] || [ ! -e /data/done.side ]; do sleep 0.1; done
"""
CRASHING: Final = "cat /etc/passwd >/dev/null; sleep 1; exit 7"
"""Starts again and again; the kubelet's pauses are 10, 20, 40 ... seconds."""

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PODTRACE_IMAGE"), reason="PODTRACE_IMAGE does not name the tracer's image"),
    pytest.mark.usefixtures("nothing_left"),
]


@pytest.fixture
def loaded_pod(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a pod whose containers `load` and `side` do what they are to do when `start_load` says so."""
    name = f"loaded-{abs(hash(request.node.name)) % 10**6}"
    containers = shell("load", LOAD), shell("side", SIDE), shell("hand", "mkfifo /data/hand; read -r _ </data/hand")
    with running_pod(kubectl, name, *containers):
        kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        kubectl.until(lambda: "ready.load" in (there := listed(kubectl, name)) and "ready.side" in there, "the input")
        yield name


def listed(kubectl: Kubectl, pod: str) -> list[str]:
    return kubectl("exec", pod, "-c", "hand", "--", "ls", "/data").split()


def do_load(kubectl: Kubectl, pod: str) -> None:
    """Returns when both containers have done what they had to."""
    kubectl("exec", pod, "-c", "hand", "--", "sh", "-c", GO)


def assert_exact(report: dict[str, Any]) -> None:
    """The numbers of the container `load`."""
    files, connections = report["files"], report["connections"]
    assert (files["read"]["count"], files["read"]["bytes"]) == (OPERATIONS, OPERATIONS * BLOCK_BYTES)
    assert (files["write"]["count"], files["write"]["bytes"]) == (OPERATIONS, OPERATIONS * BLOCK_BYTES)
    assert files["fsync"]["count"] == 1
    by_path = {each["path"]: each["bytes"] for each in files["top_files"]}
    assert by_path == {"/data/in": OPERATIONS * BLOCK_BYTES, "/data/out": OPERATIONS * BLOCK_BYTES}
    assert (connections["total"], connections["failed"]) == (REFUSALS, REFUSALS)
    assert connections["errors"] == {"ECONNREFUSED": REFUSALS}
    assert_whole(report)


def assert_whole(report: dict[str, Any]) -> None:
    trust = report["trust"]
    assert (trust["complete"], trust["lost"], trust["dropped"], trust["gaps"]) == (True, 0, 0, [])


def test_a_containers_known_load_is_reported_exactly_and_in_time(kubectl: Kubectl, loaded_pod: str) -> None:
    with podtrace(kubectl, loaded_pod, "--diagnose", f"{DURATION_S}s") as command:
        command.wait_for("tracing")
        do_load(kubectl, loaded_pod)
        report = command.report()
    assert_exact(report)
    assert report["target"]["containers"] == ["load"]
    assert command.reached["compiling the probes"] <= HEADER_WITHIN_S
    assert command.reached["tracing"] <= PROBES_WITHIN_S


def test_a_tracer_with_capabilities_alone_is_as_exact_and_says_what_it_does_without(
    kubectl: Kubectl, loaded_pod: str
) -> None:
    with podtrace(kubectl, loaded_pod, "--security-profile", "capabilities") as command:
        command.wait_for("tracing")
        do_load(kubectl, loaded_pod)
        report = command.interrupt()
    assert_exact(report)
    assert {each["slug"] for each in report["notices"]} >= {"cost-not-measured", "existing-connections"}


def test_ctrl_c_gives_the_exact_report_too(kubectl: Kubectl, loaded_pod: str) -> None:
    with podtrace(kubectl, loaded_pod, "--diagnose", "10m") as command:
        command.wait_for("tracing")
        do_load(kubectl, loaded_pod)
        command.process.send_signal(signal.SIGINT)
        report = command.report()
    assert_exact(report)


def test_a_live_view_of_a_pod_shows_its_numbers_and_leaves_the_report_and_no_pod(
    kubectl: Kubectl, loaded_pod: str
) -> None:
    command = (sys.executable, "-m", "kubectl_podtrace", "-n", kubectl.namespace, loaded_pod)
    terminal = Terminal(command, {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}, columns=120, rows=40)
    try:
        terminal.wait_for("live for")
        do_load(kubectl, loaded_pod)
        shown = terminal.wait_for(f"{OPERATIONS:,}")
        assert f"{kubectl.namespace}/{loaded_pod} (load)" in shown[0]
        terminal.wait_for("ECONNREFUSED")
        terminal.press("q")
        assert terminal.wait() == 0
    finally:
        terminal.close()
    report = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert "complete: nothing lost" in report
    assert f"{OPERATIONS:,}" in report
    assert "deleted, gone after" in report


def test_another_container_has_its_own_exact_numbers(kubectl: Kubectl, loaded_pod: str) -> None:
    with podtrace(kubectl, loaded_pod, "-c", "side") as command:
        command.wait_for("tracing")
        do_load(kubectl, loaded_pod)
        command.process.send_signal(signal.SIGINT)
        report = command.report()
    files = report["files"]
    assert (files["read"]["count"], files["read"]["bytes"]) == (SIDE_OPERATIONS, SIDE_OPERATIONS * SIDE_BYTES)
    assert (files["write"]["count"], files["write"]["bytes"]) == (SIDE_OPERATIONS, SIDE_OPERATIONS * SIDE_BYTES)
    assert {each["path"] for each in files["top_files"]} == {"/data/side.in", "/data/side.out"}
    assert report["connections"]["total"] == 0
    assert_whole(report)


def test_all_containers_of_a_pod_add_up(kubectl: Kubectl, loaded_pod: str) -> None:
    with podtrace(kubectl, loaded_pod, "--all-containers") as command:
        command.wait_for("tracing")
        do_load(kubectl, loaded_pod)
        command.process.send_signal(signal.SIGINT)
        report = command.report()
    assert report["target"]["containers"] == ["load", "side", "hand"]
    assert report["files"]["write"]["count"] == OPERATIONS + SIDE_OPERATIONS
    assert report["files"]["write"]["bytes"] == OPERATIONS * BLOCK_BYTES + SIDE_OPERATIONS * SIDE_BYTES
    assert report["connections"]["errors"] == {"ECONNREFUSED": REFUSALS}
    by_path = {each["path"]: each["bytes"] for each in report["files"]["top_files"]}
    assert by_path["/data/in"] == by_path["/data/out"] == OPERATIONS * BLOCK_BYTES
    assert by_path["/data/side.in"] == by_path["/data/side.out"] == SIDE_OPERATIONS * SIDE_BYTES
    assert_whole(report)


def test_a_crash_looping_container_is_traced_across_its_restarts(kubectl: Kubectl) -> None:
    with running_pod(kubectl, "crashing", shell("main", CRASHING)) as pod:
        kubectl.until(lambda: restarts(kubectl, pod) >= 0, "the first start")
        with podtrace(kubectl, pod) as command:
            command.wait_for("tracing")
            before = restarts(kubectl, pod)
            kubectl.until(lambda: restarts(kubectl, pod) > before, "a restart")
            kubectl.until(lambda: is_idle(kubectl, pod), "the end of the restarted container")
            command.process.send_signal(signal.SIGINT)
            report = command.report()
    assert report["target"]["containers"] == ["main"]
    assert ("sh", 7) in {(each["comm"], each["code"]) for each in report["processes"]["exits"]}
    assert "/etc/passwd" in {each["path"] for each in report["files"]["top_files"]}
    assert_whole(report)


def container_status(kubectl: Kubectl, pod: str) -> dict[str, Any]:
    status = json.loads(kubectl("get", "pod", pod, "-o", "json"))["status"]
    found: dict[str, Any] = next(iter(status.get("containerStatuses", [])), {})
    return found


def restarts(kubectl: Kubectl, pod: str) -> int:
    """How often its container was started again; -1 before its first start."""
    status = container_status(kubectl, pod)
    return int(status["restartCount"]) if status.get("containerID") else -1


def is_idle(kubectl: Kubectl, pod: str) -> bool:
    return "running" not in container_status(kubectl, pod).get("state", {})
