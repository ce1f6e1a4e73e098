from __future__ import annotations

from typing import Any

import pytest

from kubectl_podtrace.cluster.client import Cluster
from kubectl_podtrace.cluster.target import TargetSpec, resolve
from kubectl_podtrace.errors import TargetNotFoundError, TargetNotTraceableError
from tests.flow.fake_api import FakeApi, target_pod


def deployment(**selector: Any) -> dict[str, Any]:
    return {"metadata": {"name": "api"}, "spec": {"selector": selector}}


def test_a_pod_is_found_with_its_node_and_container(api: FakeApi, cluster: Cluster) -> None:
    api.pods["shop", "api-0"] = target_pod()
    target = resolve(TargetSpec.parse("api-0"), "shop", cluster)
    assert (target.pod, target.uid, target.node) == ("api-0", "uid-of-api-0", "node-a")
    assert [(c.name, c.container_id, c.image) for c in target.containers] == [("app", "aaaa", "shop:1")]
    assert (target.selected, target.notices) == (("app",), ())


def test_a_missing_pod_is_named_with_its_namespace(cluster: Cluster) -> None:
    with pytest.raises(TargetNotFoundError, match='no pod "api-0" in namespace "shop"'):
        resolve(TargetSpec.parse("pod/api-0"), "shop", cluster)


def test_a_deployments_newest_ready_pod_is_chosen_and_named(api: FakeApi, cluster: Cluster) -> None:
    api.deployments["shop", "api"] = deployment(
        matchLabels={"app": "api"},
        matchExpressions=[
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    )
    for name, created, ready in (("api-a", "1", "True"), ("api-b", "2", "True"), ("api-c", "3", "False")):
        pod = target_pod(name, conditions=[{"type": "Ready", "status": ready}])
        pod["metadata"]["creationTimestamp"] = created
        api.pods["shop", name] = pod
    target = resolve(TargetSpec.parse("deploy/api"), "shop", cluster)
    assert target.pod == "api-b"
    assert target.notices == ("deployment api: tracing pod api-b, the newest that is ready, of 3",)
    assert api.requests[-1].query["labelSelector"] == "app=api,tier in (a,b),!old"


def test_a_missing_deployment_is_named(cluster: Cluster) -> None:
    with pytest.raises(TargetNotFoundError, match='no deployment "api"'):
        resolve(TargetSpec.parse("deployment/api"), "shop", cluster)


def test_a_deployment_without_a_traceable_pod_says_so(api: FakeApi, cluster: Cluster) -> None:
    api.deployments["shop", "api"] = deployment(matchLabels={"app": "api"})
    api.pods["shop", "api-a"] = target_pod("api-a", phase="Failed")
    with pytest.raises(TargetNotTraceableError) as caught:
        resolve(TargetSpec.parse("deploy/api"), "shop", cluster)
    assert caught.value.hint == "see: kubectl get pods -n shop -l 'app=api'"
