from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kubectl_podtrace.analysis.ends import ProcessEnd
from kubectl_podtrace.analysis.pod_history import ContainerRun, Deletion, Occurrence, PodHistory
from kubectl_podtrace.analysis.pod_timeline import Incident, PodTimeline, pod_timeline, seen_ends, settled

START = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SECOND_NS = 10**9
OFFSET_NS = round(START.timestamp()) * SECOND_NS + 250_000_000
"""Of a node whose monotonic clock began with the trace."""


def at(seconds: float) -> datetime:
    """So long after the start of the trace."""
    return START + timedelta(seconds=seconds)


def told(seconds: float) -> datetime:
    """The same as the cluster tells it: without the fraction of a second."""
    return at(seconds).replace(microsecond=0)


def run(number: int, *, container: str = "api", **details: object) -> ContainerRun:
    known = ContainerRun(container=container, container_id=f"{container}-{number}", number=number)
    return replace(known, **details)  # type: ignore[arg-type]


def process_end(
    scope: int, seconds: float, *, pid: int = 1, comm: str = "api", code: int = 0, signal: int = 0
) -> ProcessEnd:
    return ProcessEnd(scope=scope, at_ns=round(seconds * SECOND_NS), pid=pid, comm=comm, code=code, signal=signal)


def unhealthy(seconds: float, *, count: int = 1, reason: str = "Unhealthy", warning: bool = True) -> Occurrence:
    when = told(seconds)
    return Occurrence(
        reason=reason, message="m", warning=warning, container="api", count=count, first_at=when, last_at=when
    )


def timeline(history: PodHistory, ends: Iterable[ProcessEnd] = (), *, seconds: float = 60) -> PodTimeline:
    ids = {0: "api-1", 1: "api-2", 2: "side-1"}
    seen = seen_ends(ends, ids, OFFSET_NS)
    return pod_timeline(history, seen, settled(history, seen), start=START, end=at(seconds), left_out=0)


def lines(found: PodTimeline) -> list[tuple[str, str | None, int | None]]:
    return [(each.kind, each.container, each.run) for each in found.incidents]


def test_the_end_that_both_saw_is_one_incident_at_the_tracer_s_time() -> None:
    history = PodHistory(runs=(run(1, ended_at=told(7.9), exit_code=137, reason="OOMKilled"),))
    (only,) = timeline(history, [process_end(0, 7.4, signal=9)]).incidents
    assert only == Incident(
        at=at(7.4), kind="oom_kill", container="api", run=1, reason="OOMKilled", exit_code=137, signal=9,
        seen_by=("cluster", "tracer"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        process_end(0, 7.4, code=3),
        process_end(0, 2.0, signal=9),
        process_end(2, 7.4, signal=9),
        process_end(0, 7.4, pid=5, signal=9),
    ],
    ids=["another status", "another time", "another container", "another process"],
)
def test_what_the_tracer_saw_of_something_else_does_not_move_an_end(other: ProcessEnd) -> None:
    history = PodHistory(runs=(run(1, ended_at=told(7.9), exit_code=137), run(1, container="side")))
    found = [each for each in timeline(history, [other]).incidents if each.kind == "end"]
    assert [(each.at, each.seen_by) for each in found] == [(told(7.9), ("cluster",))]


def test_a_container_s_runs_follow_one_another_also_within_one_second() -> None:
    history = PodHistory(
        runs=(
            run(2, started_at=told(9), ended_at=told(9), exit_code=1),
            run(1, started_at=told(-500), ended_at=told(9), exit_code=1),
            run(3, started_at=told(9)),
        )
    )
    ends = [process_end(0, 9.3, code=1), process_end(1, 9.6, code=1)]
    assert lines(timeline(history, ends)) == [
        ("end", "api", 1),
        ("start", "api", 2),
        ("end", "api", 2),
        ("start", "api", 3),
    ]


def test_what_was_killed_with_a_container_is_told_with_its_end_and_what_was_killed_before_is_not() -> None:
    history = PodHistory(runs=(run(1, ended_at=told(20), exit_code=137),))
    ends = [
        process_end(0, 5.0, pid=21, comm="early", signal=9),
        process_end(0, 5.7, pid=22, comm="early", signal=9),
        process_end(0, 20.0, signal=9),
        process_end(0, 20.01, pid=23, comm="worker", signal=9),
        process_end(0, 20.02, pid=24, comm="worker", signal=9),
    ]
    kills, end = timeline(history, ends).incidents
    assert (kills.kind, kills.at, kills.last_at, kills.killed, kills.count) == (
        "process_kill",
        at(5.0),
        at(5.7),
        {"early": 2},
        2,
    )
    assert (end.kind, end.killed) == ("end", {"worker": 2})


def test_an_end_that_the_cluster_never_told_is_known_from_the_tracer() -> None:
    """The second run was there before anybody asked about the first one; of the deleted pod nobody can be asked."""
    first, second = run(1), run(2)
    ends = [process_end(0, 4, code=5), process_end(1, 9, signal=15)]
    told_of = timeline(PodHistory(runs=(first, second)), ends)
    assert [(each.run, each.exit_code, each.signal, each.seen_by) for each in told_of.incidents] == [
        (1, 5, None, ("tracer",))
    ]
    deleted = timeline(PodHistory(runs=(first, second), deletion=Deletion()), ends)
    assert [(each.kind, each.run, each.exit_code) for each in deleted.incidents] == [
        ("end", 1, 5),
        ("end", 2, 143),
        ("deletion", None, None),
    ]


def test_a_first_process_that_ends_within_a_container_that_goes_on_is_not_its_end() -> None:
    (each,) = settled(
        PodHistory(runs=(run(1, started_at=told(-5)),)), seen_ends([process_end(0, 4)], {0: "api-1"}, OFFSET_NS)
    )
    assert (each.run.ended_at, each.run.has_ended) == (None, False)


def test_what_came_before_or_after_the_trace_is_left_out() -> None:
    history = PodHistory(
        runs=(run(1, started_at=told(-9), ended_at=told(-5), exit_code=1), run(2, started_at=told(70))),
        occurrences=(unhealthy(-3), unhealthy(65)),
    )
    assert timeline(history).incidents == ()


def test_what_is_repeated_is_one_incident_until_its_container_ends() -> None:
    history = PodHistory(
        runs=(run(1, ended_at=told(15), exit_code=137), run(2, started_at=told(16))),
        occurrences=(unhealthy(5), unhealthy(8, count=2), unhealthy(14), unhealthy(30), unhealthy(33)),
    )
    probes = [each for each in timeline(history).incidents if each.kind == "probe_failure"]
    assert [(each.at, each.last_at, each.count) for each in probes] == [
        (told(5), told(14), 4),
        (told(30), told(33), 2),
    ]


@pytest.mark.parametrize(
    ("reason", "warning", "kind"),
    [
        ("Unhealthy", True, "probe_failure"),
        ("Evicted", True, "eviction"),
        ("TaintManagerEviction", False, "eviction"),
        ("BackOff", True, "warning"),
        ("Killing", False, "remark"),
        ("Pulled", False, None),
        ("Started", False, None),
    ],
)
def test_of_the_cluster_s_events_those_are_told_that_tell_of_trouble(
    reason: str, warning: bool, kind: str | None
) -> None:
    found = timeline(PodHistory(occurrences=(unhealthy(5, reason=reason, warning=warning),))).incidents
    assert [each.kind for each in found] == ([kind] if kind else [])


def test_of_many_incidents_the_newest_are_kept_and_the_others_counted() -> None:
    occurrences = tuple(replace(unhealthy(number), message=str(number)) for number in range(130))
    found = timeline(PodHistory(occurrences=occurrences, left_out=7), seconds=500)
    assert (len(found.incidents), found.left_out) == (100, 37)
    assert found.incidents[-1].text == "129"
