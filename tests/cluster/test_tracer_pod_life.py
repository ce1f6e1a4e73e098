from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from kubectl_podtrace.cluster.client import Cluster, connect
from kubectl_podtrace.cluster.kubeconfig import ConnectionOptions
from kubectl_podtrace.cluster.lifecycle import ClusterSource
from kubectl_podtrace.cluster.start import Stage
from kubectl_podtrace.cluster.target import TargetSpec, resolve
from kubectl_podtrace.errors import ImageError, PermissionDeniedError, TracerStartError
from tests.cluster.conftest import SHELL_IMAGE, Kubectl, Told

StandIn = Callable[..., dict[str, Any]]

FINAL_LINES = 8_000


def is_last(line: bytes) -> bool:
    return line == b"last"


@pytest.mark.usefixtures("nothing_left")
def test_a_stand_in_is_started_followed_and_removed(cluster: Cluster, stand_in: StandIn, told: Told) -> None:
    manifest = stand_in("for i in $(seq 1009); do echo line $i; done; echo last")
    with ClusterSource(cluster=cluster, manifest=manifest, observer=told, is_last=is_last) as source:
        got = list(source.lines())
    assert got == [*(b"line %d" % i for i in range(1, 1010)), b"last"]
    assert told.notices == []


@pytest.mark.usefixtures("nothing_left")
def test_after_a_stop_a_large_final_snapshot_arrives_whole(cluster: Cluster, stand_in: StandIn, told: Told) -> None:
    padding = "x" * 200
    manifest = stand_in(
        'echo first; while read -r line && [ "$line" != stop ]; do :; done; '
        f"for i in $(seq {FINAL_LINES}); do echo $i {padding}; done; echo last"
    )
    got = []
    with ClusterSource(cluster=cluster, manifest=manifest, observer=told, is_last=is_last) as source:
        for line in source.lines():
            got.append(line)
            if line == b"first":
                source.stop()
    numbers = [int(line.split()[0]) for line in got[1:-1]]
    assert sorted(set(numbers)) == list(range(1, FINAL_LINES + 1))
    assert got[-1] == b"last"
    assert Stage.STOPPING in told.stages


@pytest.mark.usefixtures("nothing_left")
def test_a_silent_log_is_taken_up_again_from_its_last_second(cluster: Cluster, stand_in: StandIn, told: Told) -> None:
    manifest = stand_in("echo one; sleep 2; echo two; sleep 3; echo last")
    with ClusterSource(cluster=cluster, manifest=manifest, observer=told, is_last=is_last, silence_s=1.0) as source:
        got = list(source.lines())
    assert list(dict.fromkeys(got)) == [b"one", b"two", b"last"]
    assert len(got) > 3, "the log was never opened again"
    assert got[got.index(b"two") + 1 :].count(b"one") == 0


@pytest.mark.usefixtures("nothing_left")
def test_a_tracer_that_dies_without_its_last_line_ends_the_log(cluster: Cluster, stand_in: StandIn, told: Told) -> None:
    manifest = stand_in("echo one; exit 3")
    with ClusterSource(cluster=cluster, manifest=manifest, observer=told, is_last=is_last) as source:
        assert set(source.lines()) == {b"one"}


@pytest.mark.usefixtures("nothing_left")
def test_an_image_that_no_node_has_is_told_in_the_kubelets_words(
    cluster: Cluster, stand_in: StandIn, told: Told
) -> None:
    manifest = stand_in("true", image="localhost/there-is-no-such-image:1")
    with (
        ClusterSource(cluster=cluster, manifest=manifest, observer=told) as source,
        pytest.raises(ImageError, match="ErrImageNeverPull"),
    ):
        list(source.lines())


@pytest.mark.usefixtures("nothing_left")
def test_a_program_that_is_not_in_the_image_is_named(cluster: Cluster, stand_in: StandIn, told: Told) -> None:
    manifest = stand_in("true")
    manifest["spec"]["containers"][0]["command"] = ["/there/is/no/such/program"]
    with (
        ClusterSource(cluster=cluster, manifest=manifest, observer=told) as source,
        pytest.raises(TracerStartError, match=r"no such program|no such file"),
    ):
        list(source.lines())


def test_a_user_without_rights_is_told_the_verb_and_the_resource(kubectl: Kubectl, stand_in: StandIn) -> None:
    nobody = connect(ConnectionOptions(as_user="podtrace-test-nobody"), {"KUBECONFIG": os.environ["KUBECONFIG"]})
    with pytest.raises(PermissionDeniedError) as reading:
        resolve(TargetSpec.parse("api-0"), kubectl.namespace, nobody)
    assert (reading.value.verb, reading.value.resource) == ("get", "pods")
    with pytest.raises(PermissionDeniedError) as creating:
        nobody.create_pod(kubectl.namespace, stand_in("true"))
    assert (creating.value.verb, creating.value.resource) == ("create", "pods")


def test_a_deployments_pod_is_found(cluster: Cluster, kubectl: Kubectl) -> None:
    labels = {"app": "sleeper"}
    containers = [{"name": "sleeper", "image": SHELL_IMAGE, "command": ["sleep", "3600"]}]
    kubectl.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "sleeper"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": containers, "terminationGracePeriodSeconds": 1},
                },
            },
        }
    )
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=60s")
    target = resolve(TargetSpec.parse("deploy/sleeper"), kubectl.namespace, cluster)
    assert target.pod.startswith("sleeper-")
    assert target.selected == ("sleeper",)
    assert "the newest that is ready, of 2" in target.notices[0]
    assert len(target.containers[0].container_id) == 64
