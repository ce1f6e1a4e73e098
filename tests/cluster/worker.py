"""A pod that does a known piece of work when it is told to, and a hand on its node that does what no API call can."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

from kubectl_podtrace.names import TRACER_SELECTOR
from tests.cluster.conftest import SHELL_IMAGE, Kubectl
from tests.cluster.tracing import running_pod, shell

OPERATIONS: Final = 1511
BLOCK_BYTES: Final = 1021
HEAVY_OPERATIONS: Final = 500_009
MISSING_FILES: Final = 20_011
MEMORY_BYTES: Final = 32 << 20

_SCRIPT: Final = f"""
[ -e /data/in ] || dd if=/dev/zero of=/data/in bs={BLOCK_BYTES} count={OPERATIONS} 2>/dev/null
[ -e /data/order ] || mkfifo /data/order
: >/data/ready
while read -r order number </data/order; do
    case $order in
    work) dd if=/data/in of=/data/out bs={BLOCK_BYTES} count={OPERATIONS} 2>/dev/null ;;
    heavy)
        dd if=/data/in of=/data/out bs=3 count={HEAVY_OPERATIONS} 2>/dev/null
        i=0; while [ $i -lt {MISSING_FILES} ]; do true 2>/dev/null </data/missing.$i; i=$((i+1)); done ;;
    exit) exit 3 ;;
    oom) exec dd if=/dev/zero of=/dev/null bs={2 * MEMORY_BYTES} count=1 2>/dev/null ;;
    esac
    : >/data/done.$number
done
"""


@dataclass(kw_only=True)
class Worker:
    """The pod; its container `worker` works, and `hand` passes orders on without being part of the report."""

    kubectl: Kubectl
    pod: str
    orders: int = 0

    def work(self) -> None:
        """Returns when so many operations have been done."""
        self.order("work")

    def order(self, order: str) -> None:
        self.orders += 1
        done = f"/data/done.{self.orders}"
        self._by_hand(f"echo {order} {self.orders} >/data/order; while [ ! -e {done} ]; do sleep 0.05; done")

    def end(self, order: str) -> None:
        """An order that ends the container; returns when it runs again and the API knows."""
        self._by_hand(f"rm /data/ready; echo {order} 0 >/data/order")
        self._by_hand("while [ ! -e /data/ready ]; do sleep 0.05; done")
        self.kubectl.until(self._is_known_to_run_again, "the API knows of the restart")

    def is_reached(self) -> bool:
        """Does its kubelet take orders for it? After a start it has to meet its pods again."""
        command = ["kubectl", "-n", self.kubectl.namespace, "exec", self.pod, "-c", "hand", "--", "true"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _is_known_to_run_again(self) -> bool:
        found = json.loads(self.kubectl("get", "pod", self.pod, "-o", "json"))["status"]["containerStatuses"]
        return any(each["restartCount"] and "running" in each["state"] for each in found)

    def _by_hand(self, script: str) -> None:
        self.kubectl("exec", self.pod, "-c", "hand", "--", "sh", "-c", script)


@contextmanager
def worker(kubectl: Kubectl) -> Iterator[Worker]:
    """A new worker, ready."""
    container = shell("worker", _SCRIPT)
    container["resources"] = {"limits": {"memory": str(MEMORY_BYTES)}}
    with running_pod(kubectl, f"worker-{secrets.token_hex(3)}", container, shell("hand", "sleep 86400")) as pod:
        kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=60s")
        yield Worker(kubectl=kubectl, pod=pod)


def assert_work(report: dict[str, Any], times: int) -> None:
    """The report has the numbers of so many pieces of work, exactly, and no others."""
    files, each_bytes = report["files"], OPERATIONS * BLOCK_BYTES * times
    assert (files["read"]["count"], files["read"]["bytes"]) == (OPERATIONS * times, each_bytes)
    assert (files["write"]["count"], files["write"]["bytes"]) == (OPERATIONS * times, each_bytes)
    assert_work_beside_others(report, times)


def assert_work_beside_others(report: dict[str, Any], times: int) -> None:
    """The same where something else reads and writes in the container, such as what starts it."""
    for path in ("/data/in", "/data/out"):
        rows = [each for each in report["files"]["top_files"] if each["path"] == path]
        assert sum(each["count"] for each in rows) == OPERATIONS * times, rows
        assert sum(each["bytes"] for each in rows) == OPERATIONS * BLOCK_BYTES * times, rows


def assert_whole(report: dict[str, Any]) -> None:
    trust = report["trust"]
    assert (trust["complete"], trust["lost"], trust["dropped"]) == (True, 0, 0), trust


@dataclass(frozen=True, kw_only=True)
class NodeHand:
    """A privileged pod on the node, in its pid namespace."""

    kubectl: Kubectl
    pod: str

    def run(self, script: str) -> str:
        return self.kubectl("exec", self.pod, "--", "sh", "-c", script)

    def kill_tracer(self) -> None:
        """SIGKILL to all processes of the tracer pod, as the kernel's OOM killer sends it."""
        self.run(
            f"for each in /proc/[0-9]*; do grep -q 'pod{self._tracer_uid()}' $each/cgroup 2>/dev/null || continue; "
            'tr "\\0" " " <$each/cmdline | grep -q podtrace_tracer && kill -9 ${each#/proc/}; done; true'
        )

    def tracer_logs(self) -> int:
        """How many files the kubelet has made of the tracer's log."""
        found = self.run(
            'for each in /proc/[0-9]*; do grep -q "^kubelet" $each/comm 2>/dev/null || continue; '
            f"ls $each/root/var/log/pods/*_{self._tracer_uid()}/*/*; done"
        )
        return len({path.rpartition("/")[2] for path in found.split()})

    def _tracer_uid(self) -> str:
        (uid,) = self.kubectl("get", "pods", "-l", TRACER_SELECTOR, "-o", "jsonpath={.items[*].metadata.uid}").split()
        return uid


@contextmanager
def node_hand(kubectl: Kubectl, node: str) -> Iterator[NodeHand]:
    name = f"node-hand-{secrets.token_hex(3)}"
    container = {
        "name": "hand",
        "image": SHELL_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "86400"],
        "securityContext": {"privileged": True},
    }
    spec = {"nodeName": node, "hostPID": True, "containers": [container], "terminationGracePeriodSeconds": 1}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    try:
        kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        yield NodeHand(kubectl=kubectl, pod=name)
    finally:
        kubectl("delete", "pod", name, "--wait=false", "--grace-period=0", "--force")


def by_environment(variable: str) -> str:
    """The command that the environment names for what no cluster offers; the test is skipped where it names none."""
    command = os.environ.get(variable)
    if not command:
        pytest.skip(f"{variable} does not name a command")
    return command


def run_command(kubectl: Kubectl, command: str) -> None:
    """Runs such a command, and waits for the API server and the kubelets after it."""
    subprocess.run(command, shell=True, check=True, timeout=120, stdout=subprocess.DEVNULL)
    kubectl.until(lambda: answers("/readyz"), "the API server")
    for name in kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split():
        kubectl.until(lambda health=f"/api/v1/nodes/{name}/proxy/healthz": answers(health), "the kubelet")  # type: ignore[misc]


def restart_kubelets(kubectl: Kubectl, command: str) -> None:
    """Runs such a command, and waits until the kubelets call their nodes ready again.

    A kubelet that starts may first say that its node is not ready; before that, what it said last still stands.
    """
    before = _readiness(kubectl)
    run_command(kubectl, command)
    kubectl.until(lambda: _have_become_ready(before, _readiness(kubectl)), "the nodes are ready")


def _readiness(kubectl: Kubectl) -> dict[str, tuple[str, str]]:
    """Node -> its condition `Ready`, and when the kubelet said so."""
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    conditions = {
        node["metadata"]["name"]: next(each for each in node["status"]["conditions"] if each["type"] == "Ready")
        for node in nodes
    }
    return {name: (ready["status"], ready["lastHeartbeatTime"]) for name, ready in conditions.items()}


def _have_become_ready(before: dict[str, tuple[str, str]], now: dict[str, tuple[str, str]]) -> bool:
    return all(status == "True" and said != before[name][1] for name, (status, said) in now.items())


def answers(path: str) -> bool:
    """Does the API server answer this call?"""
    return subprocess.run(["kubectl", "get", "--raw", path], capture_output=True, check=False).returncode == 0


def tracer_pods(kubectl: Kubectl, *, phase: str | None = None) -> list[str]:
    """Names of tracer pods, or of those in a phase."""
    listed = json.loads(kubectl("get", "pods", "-l", TRACER_SELECTOR, "-o", "json"))["items"]
    return [each["metadata"]["name"] for each in listed if phase in (None, each["status"].get("phase"))]
