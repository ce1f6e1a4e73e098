from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.cluster.pods import Pod, Running, Terminated, Waiting, pod_from_api
from kubectl_podtrace.cluster.target import Target, TargetSpec, check_namespace, resolve
from kubectl_podtrace.errors import TargetNotFoundError, TargetNotTraceableError, UsageError


@dataclass(kw_only=True)
class Pods:
    """A cluster with pods and no deployments."""

    pods: tuple[Pod, ...]

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        return next((pod for pod in self.pods if (pod.namespace, pod.name) == (namespace, name)), None)

    def get_deployment_selector(self, namespace: str, name: str) -> str | None:
        assert namespace
        assert name
        return None

    def list_pods(self, namespace: str, selector: str) -> tuple[Pod, ...]:
        assert selector
        return tuple(pod for pod in self.pods if pod.namespace == namespace)


def pod(
    *,
    meta: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
) -> Pod:
    return pod_from_api(
        {
            "metadata": {"name": "p", "namespace": "n", "uid": "u-1", **(meta or {})},
            "spec": {"nodeName": "node-a", "containers": [{"name": "a"}, {"name": "b"}], **(spec or {})},
            "status": {"phase": "Running", **(status or {})},
        }
    )


def find(found: Pod, **options: Any) -> Target:
    return resolve(TargetSpec.parse("p", **options), "n", Pods(pods=(found,)))


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("api-0", "pod", "api-0"),
        ("pod/api-0", "pod", "api-0"),
        ("po/a.b", "pod", "a.b"),
        ("deploy/api", "deployment", "api"),
        ("Deployment/api", "deployment", "api"),
        ("deployments.apps/api", "deployment", "api"),
    ],
)
def test_a_target_is_read_as_kubectl_reads_it(text: str, kind: str, name: str) -> None:
    spec = TargetSpec.parse(text)
    assert (spec.kind, spec.name) == (kind, name)


@pytest.mark.parametrize(
    "text",
    ["", "api;reboot", "$(id)", "`id`", "a b", "../a", "pod/", "pod/a/b", "service/a", "-a", "A", "a\n", "a" * 254],
)
def test_what_cannot_be_a_target_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        TargetSpec.parse(text)


@given(st.text())
def test_whatever_is_typed_is_a_target_or_a_usage_error(text: str) -> None:
    try:
        spec = TargetSpec.parse(text)
    except UsageError:
        return
    assert set(spec.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


@pytest.mark.parametrize("namespace", ["", "a.b", "a/b", "a b", "A", "a" * 64])
def test_what_cannot_be_a_namespace_is_a_usage_error(namespace: str) -> None:
    with pytest.raises(UsageError):
        check_namespace(namespace)


def test_one_container_and_all_of_them_exclude_each_other() -> None:
    with pytest.raises(UsageError):
        TargetSpec.parse("p", container="a", all_containers=True)


def test_a_container_that_cannot_be_one_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        TargetSpec.parse("p", container="a;b")


def test_the_first_container_is_shown_and_the_others_are_named() -> None:
    target = find(pod())
    assert target.selected == ("a",)
    assert target.notices == ("showing container a; also there: b (--container or --all-containers)",)


def test_the_annotated_container_is_shown() -> None:
    target = find(pod(meta={"annotations": {"kubectl.kubernetes.io/default-container": "b"}}))
    assert target.selected == ("b",)


def test_an_annotation_that_names_no_container_is_ignored() -> None:
    target = find(pod(meta={"annotations": {"kubectl.kubernetes.io/default-container": "zz"}}))
    assert target.selected == ("a",)


def test_a_named_container_is_shown_without_a_notice() -> None:
    target = find(pod(), container="b")
    assert (target.selected, target.notices) == (("b",), ())


def test_a_container_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(TargetNotFoundError) as caught:
        find(pod(), container="c")
    assert caught.value.hint == "it has: a, b"


def test_all_containers_take_in_init_and_ephemeral_ones() -> None:
    found = pod(
        spec={"initContainers": [{"name": "setup"}], "ephemeralContainers": [{"name": "debugger"}]},
        status={
            "initContainerStatuses": [
                {"name": "setup", "containerID": "cri-o://f00", "state": {"terminated": {"exitCode": 3}}}
            ],
        },
    )
    target = find(found, all_containers=True)
    assert target.selected == ("a", "b", "setup", "debugger")
    assert [c.kind for c in target.containers] == ["app", "app", "init", "ephemeral"]
    assert target.containers[2].container_id == "f00"
    assert target.containers[2].state == Terminated(exit_code=3)


def test_a_static_pods_cgroup_has_the_hash_of_its_configuration() -> None:
    annotations = {"kubernetes.io/config.hash": "h-1", "kubernetes.io/config.mirror": "h-1"}
    assert find(pod(meta={"annotations": annotations})).uid == "h-1"


def test_a_crash_looping_pod_can_be_traced() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
    found = pod(status={"containerStatuses": [{"name": "a", "restartCount": 4, "state": waiting}]})
    container = find(found).containers[0]
    assert container.state == Waiting(reason="CrashLoopBackOff", message="back-off 40s")
    assert container.restart_count == 4


def test_a_running_container_is_read_as_running() -> None:
    found = pod(status={"containerStatuses": [{"name": "a", "state": {"running": {"startedAt": "x"}}}]})
    assert find(found).containers[0].state == Running()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (pod(status={"phase": "Succeeded"}), r"has ended \(Succeeded\)"),
        (pod(status={"phase": "Failed", "reason": "Evicted"}), r"has ended \(Evicted\)"),
        (pod(meta={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "is being deleted"),
        (pod(spec={"nodeName": ""}, status={"phase": "Pending"}), "has no node yet$"),
        (
            pod(
                spec={"nodeName": ""},
                status={"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes fit"}]},
            ),
            "has no node yet: 0/3 nodes fit",
        ),
    ],
)
def test_a_pod_of_which_nothing_runs_any_more_or_yet_says_so(found: Pod, words: str) -> None:
    with pytest.raises(TargetNotTraceableError, match=words):
        find(found)


@pytest.mark.parametrize(
    ("state", "notice"),
    [
        ({"running": {}}, ()),
        (
            {"waiting": {"reason": "CrashLoopBackOff"}},
            ("not running now: a (CrashLoopBackOff); the next start is traced if it comes in time",),
        ),
        (
            {"terminated": {"reason": "Error", "exitCode": 7}},
            ("not running now: a (Error); the next start is traced if it comes in time",),
        ),
    ],
)
def test_a_container_between_two_starts_is_traced_from_the_next(state: dict[str, Any], notice: tuple[str, ...]) -> None:
    status = {"containerStatuses": [{"name": "a", "state": state}]}
    assert find(pod(spec={"containers": [{"name": "a"}]}, status=status)).notices == notice
