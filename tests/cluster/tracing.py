"""The command as a user starts it, and pods for it to trace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import SHELL_IMAGE, Kubectl


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

    def interrupt(self) -> dict[str, Any]:
        """Ctrl+C, and the report that follows."""
        self.process.send_signal(signal.SIGINT)
        return self.report()

    def failure(self) -> tuple[int, str]:
        """The exit code of a command that fails, and what it says."""
        out, err = self.process.communicate(timeout=120)
        assert out == ""
        assert "Traceback" not in err
        return self.process.returncode, err


@contextmanager
def podtrace(kubectl: Kubectl, *arguments: str, kubeconfig: Path | None = None) -> Iterator[Command]:
    command = [sys.executable, "-m", "kubectl_podtrace", "-n", kubectl.namespace, *arguments, "--export", "json"]
    if kubeconfig is not None:
        command += ["--kubeconfig", str(kubeconfig)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Command(process=process, began=began)
        finally:
            # After a failure: it still deletes its pod.
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def rules(report: dict[str, Any]) -> set[str]:
    """The names of all findings."""
    return {finding["rule"] for finding in report["findings"]}


def shell(name: str, script: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": SHELL_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }


@contextmanager
def running_pod(kubectl: Kubectl, name: str, *containers: dict[str, Any]) -> Iterator[str]:
    spec = {
        "containers": list(containers),
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    try:
        yield name
    finally:
        kubectl("delete", "pod", name, "--wait=false", "--ignore-not-found")
