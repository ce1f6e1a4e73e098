from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kubectl_podtrace.cli.containers import last_words, target_info
from kubectl_podtrace.cluster.pod_watch import PodNotes, PodWatch
from kubectl_podtrace.cluster.pods import Container, Pod, PodEvent, pod_from_api
from kubectl_podtrace.cluster.target import Target
from kubectl_podtrace.errors import ClusterUnreachableError

FOUND = Target(
    namespace="shop",
    pod="api-0",
    uid="u",
    node="node-a",
    containers=(Container(name="app", container_id="first"), Container(name="side", container_id="other")),
    selected=("app",),
    notices=(),
)


@dataclass
class Cluster:
    """A cluster with one pod, whose container was restarted."""

    pod: Pod | None
    broken: bool = False

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        assert (namespace, name) == ("shop", "api-0")
        if self.broken:
            raise ClusterUnreachableError("gone for lunch")
        return self.pod

    def list_events(self, namespace: str, name: str) -> tuple[PodEvent, ...]:
        assert (namespace, name) == ("shop", "api-0")
        return ()


def watch_of(cluster: Cluster) -> PodWatch:
    return PodWatch(cluster=cluster, namespace="shop", name="api-0", notes=PodNotes("u", FOUND.containers))


def pod(container: dict[str, Any] | None = None, uid: str = "u", phase: str = "Running", **meta: Any) -> Pod:
    status = {"phase": phase, "containerStatuses": [{"name": "app", **(container or {})}]}
    return pod_from_api({"metadata": {"uid": uid, **meta}, "spec": {"containers": [{"name": "app"}]}, "status": status})


def names(watch: PodWatch) -> dict[str, str]:
    return dict(target_info(FOUND, watch, narrowed=True).container_names)


def test_the_containers_that_were_found_have_names_without_asking() -> None:
    watch = watch_of(Cluster(pod=None))
    assert names(watch) == {"first": "app", "other": "side"}
    assert target_info(FOUND, watch, narrowed=True).selected == frozenset({"app"})
    assert target_info(FOUND, watch, narrowed=False).selected is None


def test_at_the_end_the_names_of_the_last_two_runs_are_learnt_and_the_first_is_kept() -> None:
    third = {"containerID": "containerd://third", "restartCount": 2}
    ended = {"lastState": {"terminated": {"containerID": "containerd://second", "exitCode": 1}}}
    watch = watch_of(Cluster(pod=pod({**third, **ended})))
    assert last_words("api-0", watch) == ""
    assert names(watch) == {"first": "app", "second": "app", "third": "app", "other": "side"}


def test_a_cluster_that_does_not_answer_costs_a_name_and_not_the_report() -> None:
    watch = watch_of(Cluster(pod=None, broken=True))
    assert last_words("api-0", watch) == "the cluster did not tell what became of pod api-0 at the end of the trace"
    assert names(watch) == {"first": "app", "other": "side"}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "pod api-0 was deleted while it was traced"),
        (pod(uid="another"), "pod api-0 was deleted while it was traced"),
        (pod(deletionTimestamp="2026-01-01T00:00:00Z"), "pod api-0 was deleted while it was traced"),
        (pod(phase="Failed"), "pod api-0 ended while it was traced (Failed)"),
        (pod(), ""),
    ],
)
def test_at_the_end_it_is_told_what_became_of_the_pod(found: Pod | None, words: str) -> None:
    assert last_words("api-0", watch_of(Cluster(pod=found))) == words
