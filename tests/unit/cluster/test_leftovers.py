from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubectl_podtrace.cluster.leftovers import (
    READ_ON,
    Client,
    Owner,
    TracerPod,
    is_leftover,
    selector_of,
    tracer_pod_from_api,
)
from kubectl_podtrace.cluster.tracer_pod import TracerPodSpec, build

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POD = TracerPod(
    namespace="shop",
    name="podtrace-api-0-abcde",
    target="shop/api-0",
    node="node-a",
    session="abcde",
    client_id="aaaa",
    user="ann",
    created=NOW - timedelta(hours=1),
    ended=None,
    deadline=NOW + timedelta(hours=1),
)


def raw_pod(**status: Any) -> dict[str, Any]:
    manifest = build(
        TracerPodSpec(
            name="podtrace-api-0-abcde",
            namespace="shop",
            node="node-a",
            image="tracer:1",
            request_json="{}",
            session_id="abcde",
            target_namespace="shop",
            target_pod="api-0",
            target_uid="u",
            duration_s=30,
            client_id="aaaa",
            user="ann",
        )
    )
    manifest["metadata"]["creationTimestamp"] = "2026-01-01T11:00:00Z"
    return {**manifest, "status": {"phase": "Running", "startTime": "2026-01-01T11:00:01Z", **status}}


def test_a_tracer_pod_is_known_again_by_what_it_was_made_with() -> None:
    found = tracer_pod_from_api(raw_pod())
    deadline = datetime(2026, 1, 1, 11, 10, 31, tzinfo=UTC)
    assert found == replace(POD, deadline=deadline)


def test_the_end_of_a_tracer_is_its_container_s_else_the_pod_s_else_its_deadline() -> None:
    terminated = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T11:05:00Z"}}
    ended = tracer_pod_from_api(raw_pod(containerStatuses=[{"name": "tracer", "state": terminated}]))
    assert ended.ended_by(NOW) == datetime(2026, 1, 1, 11, 5, tzinfo=UTC)
    evicted = tracer_pod_from_api(raw_pod(phase="Failed"))
    assert evicted.ended_by(NOW) == datetime(2026, 1, 1, 11, 0, 1, tzinfo=UTC)
    lost = tracer_pod_from_api(raw_pod())
    assert lost.ended_by(NOW) == datetime(2026, 1, 1, 11, 10, 31, tzinfo=UTC)
    assert lost.ended_by(datetime(2026, 1, 1, 11, 10, tzinfo=UTC)) is None


def test_times_that_cannot_be_read_count_as_long_ago() -> None:
    raw = raw_pod(phase="Failed", startTime="soon")
    raw["metadata"]["creationTimestamp"] = None
    assert tracer_pod_from_api(raw).ended == datetime.fromtimestamp(0, UTC)


@pytest.mark.parametrize(
    ("owner", "owns"),
    [
        (Owner(client_id="aaaa"), True),
        (Owner(client_id="bbbb", user="ann"), True),
        (Owner(client_id="bbbb", user="bob"), False),
        (Owner(), False),
    ],
)
def test_a_pod_is_one_s_own_by_the_client_or_the_user(owner: Owner, owns: bool) -> None:
    assert owner.owns(POD) is owns


def test_a_pod_of_nobody_is_not_owned_by_somebody_without_a_name() -> None:
    assert not Owner().owns(replace(POD, client_id="", user=""))


@pytest.mark.parametrize(
    ("client", "ended", "expected"),
    [
        (Client.RUNS, NOW - timedelta(days=1), False),
        (Client.GONE, None, True),
        (Client.GONE, NOW, True),
        (Client.UNKNOWN, None, False),
        (Client.UNKNOWN, NOW - READ_ON, False),
        (Client.UNKNOWN, NOW - READ_ON - timedelta(seconds=1), True),
    ],
)
def test_what_somebody_may_still_read_is_left_alone(client: Client, ended: datetime | None, expected: bool) -> None:
    assert is_leftover(replace(POD, ended=ended), client, NOW) is expected


def test_a_pod_past_its_deadline_is_left_over_also_when_its_node_says_nothing() -> None:
    assert is_leftover(replace(POD, deadline=NOW - READ_ON - timedelta(seconds=1)), Client.UNKNOWN, NOW)
    assert not is_leftover(replace(POD, deadline=NOW), Client.UNKNOWN, NOW)


def test_one_s_own_pods_are_selected_by_the_client_s_label() -> None:
    assert selector_of(Owner(client_id="aaaa")) == "app.kubernetes.io/name=podtrace-tracer,podtrace.io/client=aaaa"
