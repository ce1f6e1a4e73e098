from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.cluster.conftest import SHELL_IMAGE, Kubectl

OPERATIONS: Final = 7919
BLOCK_BYTES: Final = 1021
REFUSALS: Final = 13
CLOSED_PORT: Final = 9
DURATION_S: Final = 5
HEADER_WITHIN_S: Final = 2.5
PROBES_WITHIN_S: Final = 4.5

LOAD: Final = f"""
dd if=/dev/zero of=/work/in bs={BLOCK_BYTES} count={OPERATIONS} 2>/dev/null
while [ ! -e /work/go ]; do sleep 0.1; done
dd if=/work/in of=/work/out bs={BLOCK_BYTES} count={OPERATIONS} conv=fsync 2>/dev/null
i=0; while [ $i -lt {REFUSALS} ]; do nc 127.0.0.1 {CLOSED_PORT} </dev/null; i=$((i+1)); done
touch /work/done
while true; do sleep 1; done
"""

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PODTRACE_IMAGE"), reason="PODTRACE_IMAGE does not name the tracer's image"),
    pytest.mark.usefixtures("nothing_left"),
]


@dataclass(kw_only=True)
class Command:
    """`kubectl podtrace` as a process of its own; `reached` has the seconds after its start of each line on stderr."""

    process: subprocess.Popen[str]
    began: float
    reached: dict[str, float] = field(default_factory=dict)

    def wait_for(self, line: str) -> None:
        """Reads stderr up to a line."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self.reached.setdefault(text.strip(), time.monotonic() - self.began)
            if text.strip() == line:
                return
        pytest.fail(f"no {line!r} on stderr, but {list(self.reached)}")

    def report(self) -> dict[str, Any]:
        """What it prints until it ends."""
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        report: dict[str, Any] = json.loads(out)
        return report


@contextmanager
def podtrace(kubectl: Kubectl, *arguments: str) -> Iterator[Command]:
    command = [sys.executable, "-m", "kubectl_podtrace", "-n", kubectl.namespace, *arguments, "--export", "json"]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Command(process=process, began=began)
        finally:
            # After a failure: it still deletes its pod.
            process.terminate()


@pytest.fixture
def loaded_pod(kubectl: Kubectl) -> Iterator[str]:
    """The name of a pod that does its load once `/work/go` is there."""
    name = "loaded"
    container = {
        "name": "load",
        "image": SHELL_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", LOAD],
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
    }
    spec = {
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "work", "emptyDir": {}}],
    }
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    kubectl.until(lambda: "in" in kubectl("exec", name, "--", "ls", "/work"), "the load's input")
    yield name
    kubectl("delete", "pod", name, "--wait=true")


def start_load(kubectl: Kubectl, pod: str) -> None:
    kubectl("exec", pod, "--", "touch", "/work/go")


def assert_exact(report: dict[str, Any]) -> None:
    files, connections = report["files"], report["connections"]
    assert (files["read"]["count"], files["read"]["bytes"]) == (OPERATIONS, OPERATIONS * BLOCK_BYTES)
    assert (files["write"]["count"], files["write"]["bytes"]) == (OPERATIONS, OPERATIONS * BLOCK_BYTES)
    assert files["fsync"]["count"] == 1
    by_path = {each["path"]: each["bytes"] for each in files["top_files"]}
    assert by_path["/work/in"] == by_path["/work/out"] == OPERATIONS * BLOCK_BYTES
    assert (connections["total"], connections["failed"]) == (REFUSALS, REFUSALS)
    assert connections["errors"] == {"ECONNREFUSED": REFUSALS}
    assert (report["trust"]["complete"], report["trust"]["lost"], report["trust"]["gaps"]) == (True, 0, [])


def test_a_pods_known_load_is_reported_exactly_and_in_time(kubectl: Kubectl, loaded_pod: str) -> None:
    with podtrace(kubectl, loaded_pod, "--diagnose", f"{DURATION_S}s") as command:
        command.wait_for("tracing")
        start_load(kubectl, loaded_pod)
        report = command.report()
    assert_exact(report)
    assert report["target"]["containers"] == ["load"]
    assert command.reached["compiling the probes"] <= HEADER_WITHIN_S
    assert command.reached["tracing"] <= PROBES_WITHIN_S


def test_ctrl_c_gives_the_exact_report_too(kubectl: Kubectl, loaded_pod: str) -> None:
    with podtrace(kubectl, loaded_pod, "--diagnose", "10m") as command:
        command.wait_for("tracing")
        start_load(kubectl, loaded_pod)
        kubectl.until(lambda: "done" in kubectl("exec", loaded_pod, "--", "ls", "/work"), "the load's end")
        command.process.send_signal(signal.SIGINT)
        report = command.report()
    assert_exact(report)
