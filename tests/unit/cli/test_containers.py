from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from kubectl_podtrace.cli.containers import Containers
from kubectl_podtrace.cluster.pods import Container, Pod, pod_from_api
from kubectl_podtrace.cluster.target import Target
from kubectl_podtrace.errors import ClusterUnreachableError
from kubectl_podtrace.wire.records import Scope

FOUND = Target(
    namespace="shop",
    pod="api-0",
    uid="u",
    node="node-a",
    containers=(Container(name="app", container_id="first"), Container(name="side", container_id="other")),
    selected=("app",),
    notices=(),
)


def scopes(*ids: str) -> list[Scope]:
    return [Scope(index=index, cgroup_id=index, cgroup="", container_id=each) for index, each in enumerate(ids)]


@dataclass
class Cluster:
    """A cluster with one pod, whose container was restarted."""

    pod: Pod | None
    calls: int = 0
    broken: bool = False
    now: float = field(default=0.0)

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        assert (namespace, name) == ("shop", "api-0")
        self.calls += 1
        if self.broken:
            raise ClusterUnreachableError("gone for lunch")
        return self.pod

    def clock(self) -> float:
        return self.now


def restarted(container_id: str) -> Pod:
    return replace(
        pod_from_api({"metadata": {"uid": "u"}}), containers=(Container(name="app", container_id=container_id),)
    )


def names(containers: Containers) -> dict[str, str]:
    return dict(containers.target_info.container_names)


def test_what_is_known_is_not_asked_for() -> None:
    cluster = Cluster(pod=None)
    containers = Containers(found=FOUND, cluster=cluster, narrowed=True, clock=cluster.clock)
    containers.look_up(scopes("first", "other", ""))
    assert cluster.calls == 0
    assert containers.target_info.selected == frozenset({"app"})


def test_a_restarted_container_s_new_id_is_learnt_and_the_old_one_kept() -> None:
    cluster = Cluster(pod=restarted("second"))
    containers = Containers(found=FOUND, cluster=cluster, narrowed=False, clock=cluster.clock)
    containers.look_up(scopes("first", "second"))
    assert names(containers) == {"first": "app", "second": "app", "other": "side"}
    assert containers.target_info.selected is None


def test_an_id_that_nobody_knows_is_asked_for_at_intervals_and_not_for_ever() -> None:
    cluster = Cluster(pod=restarted("first"))
    containers = Containers(found=FOUND, cluster=cluster, narrowed=True, clock=cluster.clock)
    for _ in range(100):
        containers.look_up(scopes("sandbox"))
    assert cluster.calls == 1
    for _ in range(100):
        cluster.now += 10
        containers.look_up(scopes("sandbox"))
    assert cluster.calls == 8


def test_a_cluster_that_does_not_answer_costs_a_name_and_not_the_trace() -> None:
    cluster = Cluster(pod=None, broken=True)
    containers = Containers(found=FOUND, cluster=cluster, narrowed=True, clock=cluster.clock)
    containers.look_up(scopes("second"))
    cluster.broken, cluster.pod, cluster.now = False, None, 10.0
    containers.look_up(scopes("second"))
    assert "second" not in names(containers)


def test_at_the_end_the_names_of_the_last_two_runs_are_learnt() -> None:
    pod = pod_from_api(
        {
            "metadata": {"uid": "u"},
            "spec": {"containers": [{"name": "app"}]},
            "status": {
                "containerStatuses": [
                    {
                        "name": "app",
                        "containerID": "containerd://third",
                        "lastState": {"terminated": {"containerID": "containerd://second"}},
                    }
                ]
            },
        }
    )
    cluster = Cluster(pod=pod)
    containers = Containers(found=FOUND, cluster=cluster, narrowed=True, clock=cluster.clock)
    assert containers.look_last() == ""
    assert names(containers) == {"first": "app", "second": "app", "third": "app", "other": "side"}


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (None, "pod api-0 was deleted while it was traced"),
        (pod_from_api({"metadata": {"uid": "another"}}), "pod api-0 was deleted while it was traced"),
        (
            pod_from_api({"metadata": {"uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            "pod api-0 was deleted while it was traced",
        ),
        (
            pod_from_api({"metadata": {"uid": "u"}, "status": {"phase": "Failed"}}),
            "pod api-0 ended while it was traced (Failed)",
        ),
        (pod_from_api({"metadata": {"uid": "u"}, "status": {"phase": "Running"}}), ""),
    ],
)
def test_at_the_end_it_is_told_what_became_of_the_pod(pod: Pod | None, words: str) -> None:
    cluster = Cluster(pod=pod)
    containers = Containers(found=FOUND, cluster=cluster, narrowed=True, clock=cluster.clock)
    assert containers.look_last() == words
