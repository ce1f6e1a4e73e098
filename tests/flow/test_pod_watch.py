"""A pod that restarts, fails its probes or goes away while it is traced: what the report says about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from kubectl_podtrace.cli.main import main
from tests.flow import fake_stream
from tests.flow.fake_api import CREATING, RUNNING, Call, FakeApi, Refusal, stamped, target_pod

Trace = Callable[..., dict[str, Any]]

STARTED: Final = fake_stream.HEADER.realtime_offset_ns // fake_stream.SECOND_NS + 2
"""When the last probe was attached, in seconds since 1970."""


def told(seconds: float) -> str:
    """So long after the start of the trace, as the API tells times."""
    return f"{datetime.fromtimestamp(int(STARTED + seconds), UTC):%Y-%m-%dT%H:%M:%SZ}"


def probe_failed(count: int, last: float, message: str = "Readiness probe failed: \x1b[2Jno") -> dict[str, Any]:
    return {
        "metadata": {"uid": "event-1"},
        "type": "Warning",
        "reason": "Unhealthy",
        "message": message,
        "involvedObject": {"uid": "uid-of-api-0", "fieldPath": "spec.containers{app}"},
        "count": count,
        "firstTimestamp": told(-100),
        "lastTimestamp": told(last),
    }


@pytest.fixture
def trace(api: FakeApi, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Trace:
    """Traces the pod `api-0`; meanwhile its container is killed, and `happens` on top of it."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("PODTRACE_IMAGE", "tracer:1")
    pod = api.pods["shop", "api-0"] = target_pod()
    api.starts = [CREATING, RUNNING]
    api.events = [probe_failed(5, -50)]

    def restart() -> None:
        ended = {"containerID": "containerd://aaaa", "exitCode": 137, "reason": "OOMKilled", "finishedAt": told(0.9)}
        pod["status"]["containerStatuses"] = [
            {
                "name": "app",
                "containerID": "containerd://bbbb",
                "restartCount": 1,
                "state": {"running": {"startedAt": told(1.5)}},
                "lastState": {"terminated": ended},
            }
        ]

    def run(*arguments: str, happens: Callable[[], None] = lambda: None) -> dict[str, Any]:
        api.logs = [
            [
                stamped(*fake_stream.beginning()),
                Call(function=restart),
                Call(function=happens),
                stamped(*fake_stream.end_after_restart(), second=1),
            ]
        ]
        assert main(("api-0", "--diagnose", "1s", *arguments, "--export", "json")) == 0
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return report

    return run


@pytest.mark.parametrize("arguments", [(), ("-c", "app"), ("--all-containers",)])
def test_the_runs_of_a_container_are_kept_apart_and_added_up(trace: Trace, arguments: tuple[str, ...]) -> None:
    report = trace(*arguments)
    first, second = report["target"]["container_runs"]
    assert (first["name"], first["container_id"], first["run"], first["events"]) == (
        "app",
        "aaaa",
        1,
        fake_stream.READS,
    )
    assert (first["reason"], first["exit_code"], first["signal"]) == ("OOMKilled", 137, 9)
    assert first["ended"] == told(0.5).replace("Z", ".500000Z")
    assert (second["name"], second["run"], second["events"]) == ("app", 2, fake_stream.SECOND_READS)
    assert (second["started"], second["ended"]) == (told(1.5).replace("Z", ".000000Z"), None)
    assert report["target"]["container_events"] == [
        {"name": "app", "runs": 2, "events": fake_stream.READS + fake_stream.SECOND_READS}
    ]
    assert report["files"]["read"]["count"] == fake_stream.READS + fake_stream.SECOND_READS


def test_what_happened_to_the_pod_is_told_in_order(api: FakeApi, trace: Trace) -> None:
    report = trace(happens=lambda: api.events.__setitem__(0, probe_failed(8, 3)))
    found = [
        (each["kind"], each["container"], each["run"], each["count"], each["seen_by"])
        for each in report["kubernetes_events"]["incidents"]
    ]
    assert found == [
        ("oom_kill", "app", 1, 1, ["cluster", "tracer"]),
        ("start", "app", 2, 1, ["cluster"]),
        ("probe_failure", "app", None, 3, ["cluster"]),
    ]
    assert {each["rule"] for each in report["findings"]} == {"container-oom-killed", "probe-failed"}


def test_a_pod_that_is_deleted_meanwhile_has_the_end_that_the_tracer_saw(api: FakeApi, trace: Trace) -> None:
    report = trace(happens=lambda: api.pods.__delitem__(("shop", "api-0")))
    incidents = report["kubernetes_events"]["incidents"]
    assert [(each["kind"], each["exit_code"], each["seen_by"]) for each in incidents] == [
        ("end", 137, ["tracer"]),
        ("deletion", None, ["cluster"]),
    ]
    assert "pod api-0 was deleted while it was traced" in {each["text"] for each in report["notices"]}
    assert report["findings"] == []


def test_who_may_not_list_events_is_told_what_that_costs(api: FakeApi, trace: Trace) -> None:
    api.refusals["list events"] = Refusal(status=403, message="no")
    report = trace()
    notices = [each["text"] for each in report["notices"] if "list events" in each["text"]]
    assert len(notices) == 1
    assert "failed probes and evictions are not in this report" in notices[0]
    assert [each["kind"] for each in report["kubernetes_events"]["incidents"]] == ["oom_kill", "start"]


def test_nobody_s_text_reaches_the_terminal_as_it_is(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    trace()  # the fixture's pod and tracer
    api.events = [probe_failed(1, -50)]
    api.starts = [CREATING, RUNNING]
    more = Call(function=lambda: api.events.__setitem__(0, probe_failed(2, 3)))
    api.logs = [[stamped(*fake_stream.beginning()), more, stamped(*fake_stream.end_after_restart(), second=1)]]
    assert main(("api-0", "--diagnose", "1s")) == 0
    printed = capsys.readouterr().out
    assert "What happened to the pod" in printed
    assert "app: Unhealthy: Readiness probe failed: \\x1b[2Jno" in printed
    assert "\x1b" not in printed
