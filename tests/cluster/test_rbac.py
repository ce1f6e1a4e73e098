"""The roles that a cluster's owner is offered: a person who has them, and nothing else, can trace, and only there."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Kubectl
from tests.cluster.tracing import podtrace, running_pod, shell

MANIFEST = Path(__file__).parents[2] / "manifests/rbac.yaml"

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PODTRACE_IMAGE"), reason="PODTRACE_IMAGE does not name the tracer's image"),
    pytest.mark.usefixtures("nothing_left"),
]


@pytest.fixture
def roles(kubectl: Kubectl) -> Iterator[None]:
    """The manifest's; those that were there before stay."""
    before = kubectl("get", "clusterroles", "-o", "name").split()
    kubectl("apply", "-f", str(MANIFEST))
    yield
    made = [
        name for name in ("podtrace", "podtrace-nodes") if f"clusterrole.rbac.authorization.k8s.io/{name}" not in before
    ]
    if made:
        kubectl("delete", "clusterrole", *made)


@pytest.fixture
def person(kubectl: Kubectl, roles: None) -> Iterator[str]:
    """Who has the role in the test's namespace."""
    name = f"podtrace-test-{secrets.token_hex(3)}"
    kubectl("create", "rolebinding", name, "--clusterrole=podtrace", f"--user={name}")
    yield name
    kubectl("delete", "rolebinding", name)


def test_who_is_bound_in_a_namespace_can_trace_there_and_nowhere_else(kubectl: Kubectl, person: str) -> None:
    with running_pod(
        kubectl, "watched", shell("main", "while :; do cat /etc/passwd >/dev/null; sleep 0.1; done")
    ) as pod:
        kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=60s")
        with podtrace(kubectl, pod, "--diagnose", "2s", "--as", person) as trace:
            report = trace.report()
        assert report["trust"]["complete"]
        assert "/etc/passwd" in {each["path"] for each in report["files"]["top_files"]}
        # Without the other role nothing is known of nodes, and that is said; nothing else is missing.
        assert {"nodes" in each["text"] or "namespaces" in each["text"] for each in report["notices"]} == {True}
    with podtrace(Kubectl(namespace="kube-system"), "any", "--as", person) as trace:
        code, said = trace.failure()
    assert (code, "you may not" in said) == (4, True)


def test_with_the_second_role_nothing_is_left_to_wish_for(kubectl: Kubectl, person: str) -> None:
    kubectl("create", "clusterrolebinding", person, "--clusterrole=podtrace-nodes", f"--user={person}")
    try:
        with running_pod(kubectl, "looked-at", shell("main", "sleep 600")) as pod:
            kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=60s")
            command = [sys.executable, "-m", "kubectl_podtrace", "check", "-n", kubectl.namespace, pod, "--as", person]
            done = subprocess.run([*command, "-o", "json"], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout
        answers = {each["question"]: each["answer"] for each in json.loads(done.stdout)["answers"]}
        del answers["image"]  # a node tells of one that has just come a little later
        assert set(answers.values()) == {"yes"}
    finally:
        kubectl("delete", "clusterrolebinding", person)
