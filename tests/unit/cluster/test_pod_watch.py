from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from kubectl_podtrace.analysis.pod_history import ContainerRun, Deletion
from kubectl_podtrace.cluster.pod_watch import MAX_CHARS, MAX_OCCURRENCES, MAX_RUNS, PodNotes, PodWatch
from kubectl_podtrace.cluster.pods import Pod, PodEvent, event_from_api, pod_from_api, time_from_api
from kubectl_podtrace.errors import ClusterUnreachableError, PermissionDeniedError


def pod(*statuses: dict[str, Any], uid: str = "u", **meta: Any) -> Pod:
    return pod_from_api(
        {
            "metadata": {"uid": uid, **meta},
            "spec": {"containers": [{"name": each["name"]} for each in statuses]},
            "status": {"phase": "Running", "containerStatuses": list(statuses)},
        }
    )


def ended(container_id: str, *, code: int = 1, reason: str = "Error", at: int = 7) -> dict[str, Any]:
    return {
        "terminated": {
            "containerID": f"containerd://{container_id}",
            "exitCode": code,
            "reason": reason,
            "startedAt": "2026-01-01T12:00:01Z",
            "finishedAt": f"2026-01-01T12:00:{at:02d}Z",
        }
    }


def running(second: int) -> dict[str, Any]:
    return {"running": {"startedAt": f"2026-01-01T12:00:{second:02d}Z"}}


def status(container_id: str, state: dict[str, Any], *, restarts: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "name": "api",
        "containerID": f"containerd://{container_id}",
        "restartCount": restarts,
        "state": state,
        **more,
    }


def event(uid: str, count: int, *, pod_uid: str = "u", second: int = 5, **more: Any) -> PodEvent:
    return event_from_api(
        {
            "metadata": {"uid": uid},
            "type": "Warning",
            "reason": "Unhealthy",
            "message": "Readiness probe failed",
            "involvedObject": {"uid": pod_uid, "fieldPath": "spec.containers{api}"},
            "count": count,
            "firstTimestamp": "2026-01-01T12:00:01Z",
            "lastTimestamp": f"2026-01-01T12:00:{second:02d}Z",
            **more,
        }
    )


def clock(second: int) -> datetime:
    return datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC)


def runs(notes: PodNotes) -> list[ContainerRun]:
    return list(notes.history().runs)


def test_runs_are_told_apart_and_keep_what_was_known_of_them() -> None:
    notes = PodNotes("u", pod(status("a", running(1))).containers)
    notes.take_pod(pod(status("b", running(9), restarts=1, lastState=ended("a", code=137, reason="OOMKilled"))))
    notes.take_pod(pod(status("c", running(30), restarts=2, lastState=ended("b", at=20))))
    assert [(run.container_id, run.number, run.started_at, run.ended_at) for run in runs(notes)] == [
        ("a", 1, clock(1), clock(7)),
        ("b", 2, clock(1), clock(20)),
        ("c", 3, clock(30), None),
    ]
    assert [(run.reason, run.exit_code) for run in runs(notes)] == [("OOMKilled", 137), ("Error", 1), ("", None)]


def test_between_two_runs_the_id_and_the_count_are_those_of_the_run_that_ended() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    notes = PodNotes("u")
    notes.take_pod(pod(status("b", waiting, restarts=1, lastState=ended("b", code=7))))
    (only,) = runs(notes)
    assert (only.container_id, only.number, only.exit_code, only.ended_at) == ("b", 2, 7, clock(7))


def test_an_end_is_not_forgotten_for_an_older_answer_that_came_late() -> None:
    notes = PodNotes("u")
    notes.take_pod(pod(status("a", ended("a", code=3))))
    notes.take_pod(pod(status("a", running(1))))
    assert runs(notes)[0].exit_code == 3


def test_another_pod_of_the_same_name_is_not_learnt_from() -> None:
    notes = PodNotes("u", pod(status("a", running(1))).containers)
    notes.take_pod(pod(status("z", running(1)), uid="another"))
    notes.take_events([event("e", 4, pod_uid="another")])
    notes.take_events([event("e", 9, pod_uid="another")])
    history = notes.history()
    assert [run.container_id for run in history.runs] == ["a"]
    assert (history.occurrences, history.deletion) == ((), Deletion())


def test_a_deletion_is_known_from_when_it_was_asked_for() -> None:
    notes = PodNotes("u")
    ends_at = "2026-01-01T12:00:40Z"
    notes.take_pod(pod(deletionTimestamp=ends_at, deletionGracePeriodSeconds=30))
    notes.take_pod(None)
    assert notes.history().deletion == Deletion(asked_at=clock(10))
    ages = PodNotes("u")
    ages.take_pod(pod(deletionTimestamp=ends_at, deletionGracePeriodSeconds=2**63 - 1))
    assert ages.history().deletion == Deletion()


def test_events_count_from_the_first_look_on() -> None:
    notes = PodNotes("u")
    notes.take_events([event("old", 37)])
    notes.take_events([event("old", 37), event("new", 2, second=8)])
    notes.take_events([event("old", 40, second=9), event("new", 2, second=8)])
    found = [(each.count, each.first_at, each.last_at, each.container) for each in notes.history().occurrences]
    assert found == [
        (1, clock(5), clock(5), "api"),
        (2, clock(1), clock(8), "api"),
        (3, clock(9), clock(9), "api"),
    ]


def test_an_older_list_of_events_that_came_late_counts_nothing_twice() -> None:
    notes = PodNotes("u")
    for count in (1, 5, 3, 5):
        notes.take_events([event("e", count)])
    assert [each.count for each in notes.history().occurrences] == [1, 4]


def test_a_static_pod_s_events_are_known_by_either_uid() -> None:
    meta = {"annotations": {"kubernetes.io/config.mirror": "hash"}}
    notes = PodNotes("hash")
    notes.take_pod(pod(uid="api-uid", **meta))
    notes.take_events([])
    notes.take_events([event("a", 1, pod_uid="hash"), event("b", 1, pod_uid="api-uid"), event("c", 1, pod_uid="x")])
    assert len(notes.history().occurrences) == 2


def test_memory_is_bounded_and_what_found_no_place_is_counted() -> None:
    notes = PodNotes("u")
    notes.take_events([])
    notes.take_events([event(str(number), 1, message="x" * 9_999) for number in range(MAX_OCCURRENCES + 5)])
    for number in range(MAX_RUNS + 2):
        notes.take_pod(pod(status(f"id-{number}", running(1))))
    history = notes.history()
    assert (len(history.occurrences), len(history.runs), history.left_out) == (MAX_OCCURRENCES, MAX_RUNS, 7)
    assert history.runs[-1].container_id == f"id-{MAX_RUNS + 1}"
    assert {len(each.message) for each in history.occurrences} == {MAX_CHARS}


def test_events_of_newer_reporters_are_read_too() -> None:
    found = event_from_api(
        {
            "eventTime": "2026-01-01T12:00:03.250000Z",
            "series": {"count": 6, "lastObservedTime": "2026-01-01T12:00:09.000000Z"},
            "firstTimestamp": None,
            "lastTimestamp": None,
        }
    )
    assert (found.count, found.first_at, found.last_at) == (6, clock(3).replace(microsecond=250_000), clock(9))


@pytest.mark.parametrize("text", [None, "", "soon", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 7])
def test_a_time_that_cannot_be_one_is_none(text: object) -> None:
    assert time_from_api(text) is None


@dataclass
class Cluster:
    """Answers with one pod after the other, the last one again and again; tells when it was asked often enough."""

    pods: list[Pod | None]
    allowed: bool = True
    broken: bool = False
    asked: int = 0
    enough: threading.Event = field(default_factory=threading.Event)
    event_calls: int = 0

    def get_pod(self, namespace: str, name: str) -> Pod | None:
        assert (namespace, name) == ("shop", "api-0")
        self.asked += 1
        if self.asked >= len(self.pods) + 2:
            self.enough.set()
        if self.broken:
            raise ClusterUnreachableError("not now")
        return self.pods.pop(0) if len(self.pods) > 1 else self.pods[0]

    def list_events(self, namespace: str, name: str) -> tuple[PodEvent, ...]:
        assert name == "api-0"
        self.event_calls += 1
        if not self.allowed:
            raise PermissionDeniedError(verb="list", resource="events", namespace=namespace, why="no")
        return ()


def watch_of(cluster: Cluster) -> PodWatch:
    return PodWatch(cluster=cluster, namespace="shop", name="api-0", notes=PodNotes("u"), pause_s=0.001)


def test_a_watch_looks_again_and_again_until_it_is_closed() -> None:
    pods = [pod(status(letter, running(1), restarts=number)) for number, letter in enumerate("abc")]
    cluster = Cluster(pods=[*pods])
    with watch_of(cluster) as watch:
        assert cluster.enough.wait(20)
    assert [run.container_id for run in watch.history.runs] == ["a", "b", "c"]


def test_a_watch_outlives_a_cluster_that_does_not_answer() -> None:
    cluster = Cluster(pods=[pod(status("a", running(1)))], broken=True)
    with watch_of(cluster) as watch:
        assert cluster.enough.wait(20)
        assert not watch.history.runs
        cluster.broken = False
        assert watch.look()
    assert [run.container_id for run in watch.history.runs] == ["a"]


def test_that_events_may_not_be_read_is_told_once_and_not_asked_again() -> None:
    cluster = Cluster(pods=[pod(status("a", running(1)))], allowed=False)
    with watch_of(cluster) as watch:
        assert cluster.enough.wait(20)
    (news,) = watch.news()
    assert news.startswith("you may not list events, so failed probes and evictions are not in this report")
    assert (watch.news(), cluster.event_calls) == ([], 1)
    assert [run.container_id for run in watch.history.runs] == ["a"]
