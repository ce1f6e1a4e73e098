"""The cluster tier. Real: everything; the cluster that KUBECONFIG names, its kubelets, its admission.

Fake: nothing; where a test is about the plugin alone, a shell in a small image stands in for the tracer.
Asserted: what the user gets, and that no tracer pod is left behind.

The user of KUBECONFIG must be allowed to create namespaces and to impersonate. Without KUBECONFIG the tier is skipped.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from kubectl_podtrace.cluster.client import Cluster, connect
from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions
from kubectl_podtrace.cluster.start import Stage
from kubectl_podtrace.cluster.tracer_pod import TracerPodSpec, build
from kubectl_podtrace.names import TRACER_SELECTOR, tracer_pod_name

SHELL_IMAGE: Final = os.environ.get("PODTRACE_TEST_SHELL_IMAGE", "docker.io/library/busybox:stable")
_READY_WITHIN_S: Final = 60.0


@dataclass(kw_only=True)
class Told:
    """An observer that remembers."""

    stages: list[Stage] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def progress(self, stage: Stage, words: str = "") -> None:
        self.stages.append(stage)
        self.words.append(words)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def doubt(self, text: str) -> None:
        self.doubts.append(text)


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl in the test's namespace."""

    namespace: str

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        command = ["kubectl", "-n", self.namespace, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, manifest: dict[str, Any]) -> None:
        self("apply", "-f", "-", stdin=json.dumps(manifest))

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits for the cluster, which has no event to offer that kubectl of every version could wait for."""
        give_up = time.monotonic() + _READY_WITHIN_S
        while not condition():
            assert time.monotonic() < give_up, f"not within {_READY_WITHIN_S:.0f} s: {what}"
            time.sleep(0.1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = _why_skipped()
    for item in items:
        if "tests/cluster/" in item.nodeid:
            item.add_marker(pytest.mark.cluster)
            if skip is not None:
                item.add_marker(pytest.mark.skip(reason=skip))


def _why_skipped() -> str | None:
    if not os.environ.get("KUBECONFIG"):
        return "no cluster: KUBECONFIG is not set"
    if shutil.which("kubectl") is None:
        return "kubectl, which starts the test pods, is not installed"
    return None


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return connect(ConnectionOptions(), os.environ)


@pytest.fixture(scope="session")
def kubectl() -> Iterator[Kubectl]:
    """kubectl in a namespace that lives as long as the tests."""
    namespace = f"podtrace-test-{secrets.token_hex(3)}"
    kubectl = Kubectl(namespace=namespace)
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    try:
        find_account = ("get", "serviceaccounts", "-o", "name")
        kubectl.until(lambda: "/default" in kubectl(*find_account), "the namespace's service account")
        yield kubectl
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="session")
def node(cluster: Cluster, kubectl: Kubectl) -> str:
    """The name of a node that runs pods."""
    nodes = kubectl("get", "nodes", "-o", "name").split()
    assert nodes, "the cluster has no node"
    return nodes[0].partition("/")[2]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def stand_in(kubectl: Kubectl, node: str) -> Callable[..., dict[str, Any]]:
    """Makes a tracer pod's manifest in which a shell script stands in for the tracer."""

    def make(script: str, *, image: str = SHELL_IMAGE) -> dict[str, Any]:
        suffix = secrets.token_hex(3)
        manifest = build(
            TracerPodSpec(
                name=tracer_pod_name("stand-in", suffix),
                namespace=kubectl.namespace,
                node=node,
                image=image,
                request_json="{}",
                session_id=suffix,
                target_namespace=kubectl.namespace,
                target_pod="stand-in",
                target_uid=suffix,
                duration_s=60,
                pull_policy="IfNotPresent" if image == SHELL_IMAGE else "Never",
            )
        )
        manifest["spec"]["containers"][0]["command"] = ["sh", "-c", script]
        return manifest

    return make


@pytest.fixture
def nothing_left(kubectl: Kubectl) -> Iterator[None]:
    """Asserts after the test that no tracer pod is left, not even one that is going."""
    yield
    left = kubectl("get", "pods", "-l", TRACER_SELECTOR, "-o", "name")
    if left:
        # The tests after this one count for themselves.
        kubectl("delete", "pods", "-l", TRACER_SELECTOR, "--grace-period=0", "--force")
    assert left == ""
