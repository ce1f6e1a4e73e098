from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PLATFORMS = {("linux", "amd64"), ("linux", "arm64"), ("darwin", "amd64"), ("darwin", "arm64")}


@pytest.fixture(scope="module")
def krew(root: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((root / "krew/podtrace.yaml").read_text())
    return manifest


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def test_the_krew_manifest_names_the_plugin_as_kubectl_finds_it(krew: dict[str, Any]) -> None:
    assert krew["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2"
    assert krew["kind"] == "Plugin"
    assert krew["metadata"]["name"] == "podtrace"
    assert {platform["bin"] for platform in krew["spec"]["platforms"]} == {"kubectl-podtrace"}


def test_the_krew_manifest_says_what_krew_s_index_asks_for(krew: dict[str, Any]) -> None:
    spec = krew["spec"]
    assert re.fullmatch(r"v\d+\.\d+\.\d+", spec["version"])
    assert spec["homepage"].startswith("https://")
    assert 0 < len(spec["shortDescription"]) <= 50
    assert not spec["shortDescription"].endswith(".")
    assert "kubectl" not in spec["shortDescription"].lower()
    assert max(map(len, spec["description"].splitlines())) <= 80
    assert max(map(len, spec["caveats"].splitlines())) <= 80


def test_the_krew_manifest_has_one_archive_for_each_platform(krew: dict[str, Any]) -> None:
    found = set()
    for platform in krew["spec"]["platforms"]:
        labels = platform["selector"]["matchLabels"]
        found.add((labels["os"], labels["arch"]))
        assert re.fullmatch(r"[0-9a-f]{64}", platform["sha256"])
        assert f"/download/{krew['spec']['version']}/" in platform["uri"]
        assert platform["uri"].endswith(f"kubectl-podtrace-{labels['os']}-{labels['arch']}.tar.gz")
    assert found == PLATFORMS


def test_all_manifests_are_kubernetes_objects(root: Path) -> None:
    paths = sorted((root / "manifests").glob("*.yaml"))
    assert paths
    for path in paths:
        for document in documents(path):
            assert {"apiVersion", "kind", "metadata"} <= document.keys(), path.name


def test_the_cluster_role_grants_what_a_trace_needs_and_nothing_else(root: Path) -> None:
    granted: dict[str, set[str]] = {}
    for role in documents(root / "manifests/rbac.yaml"):
        assert role["kind"] == "ClusterRole"
        for rule in role["rules"]:
            for resource in rule["resources"]:
                granted.setdefault(resource, set()).update(rule["verbs"])
    assert granted == {
        "pods": {"get", "list", "create", "delete"},
        "pods/log": {"get"},
        "pods/attach": {"get", "create"},
        "deployments": {"get"},
        "events": {"list"},
        "nodes": {"get"},
        "namespaces": {"get"},
        "runtimeclasses": {"get"},
    }


def test_the_tracer_s_namespace_admits_privileged_pods(root: Path) -> None:
    (namespace,) = documents(root / "manifests/namespace.yaml")
    assert namespace["kind"] == "Namespace"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
