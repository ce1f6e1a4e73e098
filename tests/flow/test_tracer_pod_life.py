from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from kubectl_podtrace.cluster.client import Cluster
from kubectl_podtrace.cluster.lifecycle import ClusterSource
from kubectl_podtrace.cluster.start import Stage
from kubectl_podtrace.errors import (
    AdmissionRefusedError,
    ImageError,
    InterruptedRunError,
    NodeUnavailableError,
    PermissionDeniedError,
    PodtraceError,
    TargetNotFoundError,
    TracerStartError,
)
from kubectl_podtrace.source import stopping_on_signals
from tests.flow.conftest import QuickClock, Told
from tests.flow.fake_api import ACCEPTED, CREATING, ENDED, RUNNING, Cut, FakeApi, Refusal, Until, stamped, tracer_status


def is_last(line: bytes) -> bool:
    return line == b"last"


@pytest.fixture
def source(cluster: Cluster, manifest: dict[str, Any], told: Told, clock: QuickClock) -> ClusterSource:
    return ClusterSource(cluster=cluster, manifest=manifest, observer=told, clock=clock, is_last=is_last)


def run(source: ClusterSource) -> list[bytes]:
    with source:
        return list(source.lines())


def failure(source: ClusterSource) -> PodtraceError:
    with pytest.raises(PodtraceError) as caught:
        run(source)
    return caught.value


def test_a_pod_is_created_followed_and_deleted(api: FakeApi, source: ClusterSource, told: Told) -> None:
    api.starts = [ACCEPTED, CREATING, RUNNING]
    api.logs = [[stamped(b"first", b"second"), stamped(b"last", second=1)]]
    assert run(source) == [b"first", b"second", b"last"]
    assert api.pods == {}
    assert told.stages == [Stage.CREATED, Stage.STARTING, Stage.RUNNING]
    assert told.notices == []


def test_the_log_is_asked_for_before_the_api_knows_that_the_container_runs(api: FakeApi, source: ClusterSource) -> None:
    api.starts = [CREATING]
    api.logs = [[stamped(b"last")]]
    assert run(source) == [b"last"]


def test_a_tracer_that_ended_at_once_is_still_read(api: FakeApi, source: ClusterSource) -> None:
    api.starts = [tracer_status({"terminated": {"exitCode": 1, "reason": "Error"}}, "Failed")]
    api.logs = [[stamped(b"cannot trace here")], []]
    assert run(source) == [b"cannot trace here"]
    assert api.pods == {}


def test_rbac_names_the_verb_and_the_resource(api: FakeApi, source: ClusterSource) -> None:
    text = 'pods is forbidden: User "bob" cannot create resource "pods" in API group "" in the namespace "shop"'
    api.refusals["create pods"] = Refusal(status=403, message=text)
    error = failure(source)
    assert isinstance(error, PermissionDeniedError)
    assert 'you may not create pods in namespace "shop"' in error.message
    assert error.hint == "check with: kubectl auth can-i create pods -n shop"
    assert api.calls("DELETE") == []


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        (403, "Forbidden", 'pods "x" is forbidden: violates PodSecurity "baseline:latest": hostPID'),
        (403, "Forbidden", "exceeded quota: small"),
        (400, "BadRequest", 'admission webhook "policy.example" denied the request: no privileged pods'),
        (500, "InternalError", 'failed calling webhook "policy.example": no endpoints'),
        (422, "Invalid", "spec.containers[0].image: Invalid value"),
    ],
)
def test_a_policy_is_quoted_in_its_own_words(
    api: FakeApi, source: ClusterSource, status: int, reason: str, text: str
) -> None:
    api.refusals["create pods"] = Refusal(status=status, reason=reason, message=text)
    error = failure(source)
    assert isinstance(error, AdmissionRefusedError)
    assert text in error.message


def test_pod_security_is_answered_with_another_namespace(api: FakeApi, source: ClusterSource) -> None:
    api.refusals["create pods"] = Refusal(status=403, message='violates PodSecurity "restricted:latest"')
    assert "--tracer-namespace" in (failure(source).hint or "")


def test_a_missing_tracer_namespace_is_named(api: FakeApi, source: ClusterSource) -> None:
    api.refusals["create pods"] = Refusal(status=404, reason="NotFound", message='namespaces "shop" not found')
    error = failure(source)
    assert isinstance(error, TargetNotFoundError)
    assert '"shop" does not exist' in error.message


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"])
def test_an_image_that_cannot_be_had_is_told_in_the_kubelets_words(
    api: FakeApi, source: ClusterSource, reason: str
) -> None:
    api.starts = [CREATING, tracer_status({"waiting": {"reason": reason, "message": "manifest unknown"}})]
    error = failure(source)
    assert isinstance(error, ImageError)
    assert f"{reason}: manifest unknown" in error.message
    assert api.pods == {}


@pytest.mark.parametrize(
    "status",
    [
        tracer_status({"waiting": {"reason": "CreateContainerError", "message": "no such device"}}),
        tracer_status({"terminated": {"reason": "StartError", "message": "no such device"}}, "Failed"),
        {"phase": "Failed", "reason": "OutOfmemory", "message": "no such device"},
    ],
)
def test_a_tracer_that_cannot_start_says_why(api: FakeApi, source: ClusterSource, status: dict[str, Any]) -> None:
    api.starts = [ACCEPTED, status]
    error = failure(source)
    assert isinstance(error, TracerStartError)
    assert "no such device" in error.message
    assert api.pods == {}


def test_a_pull_is_shown_in_the_kubelet_s_own_words(api: FakeApi, source: ClusterSource, told: Told) -> None:
    api.starts = [CREATING] * 25 + [RUNNING]
    pulling = {"reason": "Pulling", "message": 'Pulling image "tracer:1"', "type": "Normal"}
    pulled = {"reason": "Pulled", "message": 'Successfully pulled image "tracer:1" in 1.2s', "type": "Normal"}
    api.events = [pulling]
    said: list[str] = []

    def follow_the_pull(stage: Stage, words: str = "") -> None:
        told.stages.append(stage)
        said.append(words)
        if words == pulling["message"]:
            api.events = [pulling, pulled]
        if words == pulled["message"]:
            api.logs = [[stamped(b"last")]]

    told.progress = follow_the_pull  # type: ignore[method-assign]
    assert run(source) == [b"last"]
    assert told.stages == [Stage.CREATED, Stage.STARTING, Stage.PULLING, Stage.STARTING, Stage.RUNNING]
    assert said == ["", "", pulling["message"], pulled["message"], ""]


@pytest.mark.parametrize(("ready", "words"), [("False", "not ready"), (None, "gone")])
def test_a_node_that_is_not_there_ends_the_wait(
    api: FakeApi, source: ClusterSource, ready: str | None, words: str
) -> None:
    api.starts = [ACCEPTED]
    del api.nodes["node-a"]
    if ready is not None:
        api.nodes["node-a"] = {"status": {"conditions": [{"type": "Ready", "status": ready}]}}
    error = failure(source)
    assert isinstance(error, NodeUnavailableError)
    assert f'"node-a" is {words}' in error.message
    assert api.pods == {}


def test_a_node_that_may_not_be_read_has_time_to_answer_but_not_forever(api: FakeApi, source: ClusterSource) -> None:
    api.starts = [ACCEPTED]
    api.refusals["get nodes"] = Refusal(status=403, message='User "bob" cannot get resource "nodes"')
    error = failure(source)
    assert isinstance(error, NodeUnavailableError)
    assert "took no notice" in error.message


def test_a_pod_that_someone_else_deletes_is_not_waited_for(api: FakeApi, source: ClusterSource, told: Told) -> None:
    def lose_the_pod(stage: Stage, words: str = "") -> None:
        if stage is Stage.CREATED:
            api.pods.clear()

    told.progress = lose_the_pod  # type: ignore[method-assign]
    assert "deleted by someone else" in failure(source).message


def test_a_log_that_is_cut_goes_on_where_it_was(api: FakeApi, source: ClusterSource) -> None:
    api.starts = [RUNNING]
    api.logs = [
        [stamped(b"one", second=1), stamped(b"two", second=2), stamped(b"three is cut", second=3)[:-4], Cut()],
        [stamped(b"two", second=2), stamped(b"three is cut", b"last", second=3)],
    ]
    assert run(source) == [b"one", b"two", b"two", b"three is cut", b"last"]
    second = api.calls("GET", "/log")[1].query
    assert second["sinceTime"] == "2026-01-01T00:00:02Z"
    assert second["follow"] == "true"


def test_an_end_without_the_last_line_is_not_the_end_while_the_tracer_runs(api: FakeApi, source: ClusterSource) -> None:
    api.starts = [RUNNING]
    api.logs = [[stamped(b"one")], [], [stamped(b"one"), stamped(b"last", second=1)]]
    assert run(source) == [b"one", b"one", b"last"]


def test_a_silent_log_is_opened_again(
    api: FakeApi, cluster: Cluster, manifest: dict[str, Any], told: Told, clock: QuickClock
) -> None:
    never = threading.Event()
    api.starts = [RUNNING]
    api.logs = [[stamped(b"one"), Until(event=never)], [stamped(b"one"), stamped(b"last", second=1)]]
    source = ClusterSource(
        cluster=cluster, manifest=manifest, observer=told, clock=clock, is_last=is_last, silence_s=0.1
    )
    assert run(source) == [b"one", b"one", b"last"]
    never.set()


def test_a_tracer_that_died_is_read_to_its_end_and_no_further(api: FakeApi, source: ClusterSource) -> None:
    api.starts = [RUNNING, ENDED]
    api.logs = [[stamped(b"one")], [stamped(b"one"), stamped(b"half", second=1)[:-1]]]
    assert run(source) == [b"one", b"one", b"half"]
    assert [call.query["follow"] for call in api.calls("GET", "/log")] == ["true", "false"]


def test_a_log_that_never_comes_back_is_given_up(api: FakeApi, source: ClusterSource, told: Told) -> None:
    api.starts = [RUNNING]
    api.logs = [[stamped(b"one")]]
    assert run(source) == [b"one"]
    assert told.notices == ["the tracer's log has stopped; the report ends where it did"]
    assert api.pods == {}


def test_a_stop_leaves_the_tracer_time_and_its_last_lines_still_come(
    api: FakeApi, source: ClusterSource, told: Told
) -> None:
    api.starts = [RUNNING]
    api.logs = [[stamped(b"first"), Until(event=api.stopped), stamped(b"final snapshot", b"last", second=1)]]
    got = []
    with source:
        for line in source.lines():
            got.append(line)
            if line == b"first":
                source.stop()
    assert got == [b"first", b"final snapshot", b"last"]
    assert [call.body["gracePeriodSeconds"] for call in api.calls("DELETE")] == [0]
    assert api.pods == {}
    assert told.stages[-1] is Stage.STOPPING


def test_the_first_signal_stops_and_the_second_leaves_at_once(api: FakeApi, source: ClusterSource) -> None:
    never = threading.Event()
    api.starts = [RUNNING]
    api.logs = [[stamped(b"first"), Until(event=api.stopped), stamped(b"tail"), Until(event=never)]]
    got = []

    def interrupt_at_each_line() -> None:
        with stopping_on_signals(source), source:
            for line in source.lines():
                got.append(line)
                signal.raise_signal(signal.SIGINT if line == b"first" else signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        interrupt_at_each_line()
    never.set()
    assert got == [b"first", b"tail"]
    assert api.pods == {}


def test_a_stop_during_the_start_ends_the_wait(api: FakeApi, source: ClusterSource, told: Told) -> None:
    api.starts = [CREATING]
    told.progress = lambda stage, *_: source.stop() if stage is Stage.STARTING else None  # type: ignore[method-assign]
    assert isinstance(failure(source), InterruptedRunError)
    assert api.pods == {}


def test_a_stop_before_the_start_creates_nothing(api: FakeApi, source: ClusterSource) -> None:
    source.stop()
    assert isinstance(failure(source), InterruptedRunError)
    assert api.requests == []


def test_the_pod_is_deleted_when_the_reader_fails(api: FakeApi, source: ClusterSource) -> None:
    api.starts = [RUNNING]
    api.logs = [[stamped(b"first"), Until(event=api.stopped)]]

    def fail_at_the_first_line() -> None:
        with source:
            for _ in source.lines():
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_at_the_first_line()
    assert api.pods == {}
    assert [call.body["gracePeriodSeconds"] for call in api.calls("DELETE")] == [1]
    api.stopped.set()


def test_a_pod_that_may_not_be_deleted_is_named_with_the_command(
    api: FakeApi, source: ClusterSource, told: Told
) -> None:
    api.starts = [RUNNING]
    api.logs = [[stamped(b"last")]]
    api.refusals["delete pods"] = Refusal(status=403, message='User "bob" cannot delete resource "pods"')
    assert run(source) == [b"last"]
    assert len(told.notices) == 1
    assert "kubectl delete pod -n shop podtrace-api-0-abcde" in told.notices[0]
    assert len(api.calls("DELETE")) == 1


def test_a_delete_that_fails_for_a_moment_is_tried_again(api: FakeApi, source: ClusterSource, told: Told) -> None:
    api.starts = [RUNNING]
    api.logs = [[stamped(b"last")]]
    api.refusals["delete pods"] = Refusal(status=503, reason="ServiceUnavailable", message="etcd leader", once=True)
    assert run(source) == [b"last"]
    assert (api.pods, told.notices) == ({}, [])


def test_closing_twice_deletes_once(api: FakeApi, source: ClusterSource) -> None:
    api.starts = [RUNNING]
    api.logs = [[stamped(b"last")]]
    run(source)
    source.close()
    assert len(api.calls("DELETE")) == 1


def test_a_program_that_never_says_a_word_is_no_tracer(api: FakeApi, source: ClusterSource, told: Told) -> None:
    api.starts = [RUNNING]
    api.logs = [[]]
    assert run(source) == []
    assert (api.pods, told.notices) == ({}, [])


def test_a_start_that_failed_is_told_also_when_its_empty_log_came_first(api: FakeApi, source: ClusterSource) -> None:
    failed = tracer_status(
        {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file"}}, "Failed"
    )
    api.starts = [CREATING, failed]
    api.logs = [[], []]
    error = failure(source)
    assert isinstance(error, TracerStartError)
    assert "StartError: no such file" in error.message
    assert api.pods == {}
