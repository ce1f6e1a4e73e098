"""What the plugin asks of the tracer."""

from __future__ import annotations

import json

import pytest

from kubectl_podtrace.wire.request import (
    DEFAULT_MAX_OVERHEAD_PPM,
    CgroupTarget,
    PodTarget,
    ProcessTarget,
    RequestError,
    TraceRequest,
)
from kubectl_podtrace.wire.topics import BYPASSES, FILTERS, OPERATION_NAMES, OPERATIONS, TOPICS


@pytest.mark.parametrize(
    "target", [PodTarget(uid="1b2c"), CgroupTarget(path="/sys/fs/cgroup/x"), ProcessTarget(pid=4711)]
)
def test_a_request_comes_back_as_it_was_written(target: PodTarget | CgroupTarget | ProcessTarget) -> None:
    request = TraceRequest(
        target=target,
        topics=("tcp", "files"),
        duration_ns=30,
        fs_threshold_ns=1,
        rtt_threshold_ns=2,
        events_per_s=0,
        max_overhead_ppm=7,
        lease_ns=30_000_000_000,
        is_awaited=True,
        is_watched=True,
    )
    assert TraceRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    "change",
    [
        {"topics": ["tcp", "weather"]},
        {"topics": []},
        {"duration_ns": -1},
        {"duration_ns": "30s"},
        {"fs_threshold_ns": True},
        {"target": {"kind": "planet", "name": "earth"}},
        {"target": {"kind": "pod"}},
        {"target": None},
        {"rtt_threshold_ns": None},
        {"max_overhead_ppm": -1},
        {"max_overhead_ppm": 0.5},
        {"lease_ns": -1},
        {"is_awaited": 1},
        {"is_watched": None},
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_what_is_wrong(change: dict[str, object]) -> None:
    body = json.loads(TraceRequest(target=PodTarget(uid="1b2c")).to_json())
    with pytest.raises(RequestError, match="the request cannot be read"):
        TraceRequest.from_json(json.dumps({**body, **change}))


def test_a_request_of_an_older_plugin_has_the_usual_limit_of_what_tracing_may_cost() -> None:
    body = json.loads(TraceRequest(target=PodTarget(uid="1b2c"), max_overhead_ppm=7).to_json())
    del body["max_overhead_ppm"]
    assert TraceRequest.from_json(json.dumps(body)).max_overhead_ppm == DEFAULT_MAX_OVERHEAD_PPM


def test_a_request_of_an_older_plugin_has_no_lease_and_nobody_watches() -> None:
    asked = TraceRequest(target=PodTarget(uid="1b2c"), lease_ns=1, is_awaited=True, is_watched=True)
    body = json.loads(asked.to_json())
    del body["lease_ns"], body["is_awaited"], body["is_watched"]
    request = TraceRequest.from_json(json.dumps(body))
    assert (request.lease_ns, request.is_awaited, request.is_watched) == (0, False, False)


@pytest.mark.parametrize("text", ["", "{}", "[]", "17", "null", "{"])
def test_a_text_that_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        TraceRequest.from_json(text)


def test_every_operation_has_its_own_name_and_every_filter_known_topics() -> None:
    assert len(OPERATION_NAMES) == len(OPERATIONS)
    assert {operation.topic for operation in OPERATIONS} >= set(TOPICS)
    assert set(BYPASSES) <= OPERATION_NAMES
    assert {topic for topics in FILTERS.values() for topic in topics} == set(TOPICS)
