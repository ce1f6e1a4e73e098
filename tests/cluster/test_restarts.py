"""A pod that restarts, runs out of memory or fails its probes while it is traced."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.cluster.conftest import Kubectl
from tests.cluster.test_main_job import assert_whole
from tests.cluster.tracing import podtrace, rules, running_pod, shell

BLOCK_BYTES: Final = 509
RECORDS: Final = {2: 7919, 3: 1009}
"""So many records these runs copy. All else that they do is the same, so their events differ by the copies."""

# The first run waits for the test. The second and the third begin, copy and say how much; the third one stays.
COUNTING: Final = f"""
[ -e /data/first ] || {{
  touch /data/first; dd if=/dev/zero of=/data/in bs={BLOCK_BYTES} count={RECORDS[2]} 2>/dev/null
  mkfifo /data/go /data/never; touch /data/ready; read -r _ </data/go; exit 7
}}
[ -e /data/second ] && run=3 count={RECORDS[3]} || run=2 count={RECORDS[2]}
dd if=/data/in of=/data/out.$run bs={BLOCK_BYTES} count=$count
echo >/data/second
[ $run = 2 ] && exit 9
read -r _ </data/never
"""
HOG: Final = "tail /dev/zero"
"""It looks for the end of a line that has none, and keeps all of it."""
GREEDY: Final = f"mkfifo /data/go; touch /data/ready; read -r _ </data/go; exec {HOG}"
GREEDY_CHILD: Final = f"""
mkfifo /data/go /data/never; touch /data/ready; read -r _ </data/go
{HOG}; echo it ended with $?; touch /data/done; read -r _ </data/never
"""
ILL: Final = """
touch /data/fine; [ -e /data/go ] || mkfifo /data/go; mkfifo /data/never
touch /data/ready; read -r _ </data/go; rm /data/fine; read -r _ </data/never
"""

FILLING: Final = """
mkfifo /data/go /data/never; touch /data/ready; read -r _ </data/go
dd if=/dev/zero of=/filler bs=1M count=8 2>/dev/null; read -r _ </data/never
"""

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PODTRACE_IMAGE"), reason="PODTRACE_IMAGE does not name the tracer's image"),
    pytest.mark.usefixtures("nothing_left"),
]


def status(kubectl: Kubectl, pod: str) -> dict[str, Any]:
    found = json.loads(kubectl("get", "pod", pod, "-o", "json"))["status"]
    main: dict[str, Any] = next((each for each in found.get("containerStatuses", []) if each["name"] == "main"), {})
    return main


def is_run(kubectl: Kubectl, pod: str, number: int) -> Callable[[], bool]:
    """Whether this run of the container `main` is under way."""

    def is_there() -> bool:
        main = status(kubectl, pod)
        return main.get("restartCount") == number - 1 and "running" in main.get("state", {})

    return is_there


def hand(kubectl: Kubectl, pod: str, script: str) -> str:
    """Does something in the container beside, whose own exec would be traced in `main`."""
    return kubectl("exec", pod, "-c", "hand", "--", "sh", "-c", script)


def has(kubectl: Kubectl, pod: str, name: str) -> Callable[[], bool]:
    return lambda: f"{name}\n" in hand(kubectl, pod, "ls /data")


def containers(script: str, **main: Any) -> tuple[dict[str, Any], ...]:
    return {**shell("main", script), **main}, shell("hand", "mkfifo /data/hand; read -r _ </data/hand")


def trace(kubectl: Kubectl, pod: str, happens: Callable[[], None], *arguments: str) -> dict[str, Any]:
    """The report of a trace of the container `main`, whose first run waits until the probes are attached."""
    kubectl("wait", "--for=condition=ContainersReady", f"pod/{pod}", "--timeout=60s")
    kubectl.until(has(kubectl, pod, "ready"), "the container at its pipe")
    with podtrace(kubectl, pod, "-c", "main", *arguments) as command:
        command.wait_for("tracing")
        hand(kubectl, pod, "echo >/data/go")
        happens()
        command.process.send_signal(signal.SIGINT)
        report = command.report()
    assert_whole(report)
    return report


def incidents(report: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    return [each for each in report["kubernetes_events"]["incidents"] if each["kind"] in kinds]


def records_said(log: str) -> int:
    """What dd said that it had copied."""
    (read,), (written,) = re.findall(r"(\d+)\+0 records in", log), re.findall(r"(\d+)\+0 records out", log)
    assert read == written
    return int(written)


def test_each_run_of_a_container_has_its_own_exact_numbers(kubectl: Kubectl) -> None:
    said: dict[int, int] = {}
    with running_pod(kubectl, "counting", *containers(COUNTING)) as pod:

        def restarts() -> None:
            kubectl.until(is_run(kubectl, pod, 3), "the third run")
            kubectl.until(has(kubectl, pod, "out.3"), "its copy")
            said[2] = records_said(kubectl("logs", pod, "-c", "main", "--previous"))
            kubectl.until(lambda: "records out" in kubectl("logs", pod, "-c", "main"), "its last word")
            said[3] = records_said(kubectl("logs", pod, "-c", "main"))

        report = trace(kubectl, pod, restarts, "--filter", "fs")
    assert said == RECORDS
    by_path = {each["path"]: each for each in report["files"]["top_files"]}
    for number, count in said.items():
        assert by_path[f"/data/out.{number}"]["count"] == count
        assert by_path[f"/data/out.{number}"]["bytes"] == count * BLOCK_BYTES
    assert by_path["/data/in"]["count"] == sum(said.values())
    runs = report["target"]["container_runs"]
    assert [(each["name"], each["run"], each["exit_code"], each["ended"] is None) for each in runs] == [
        ("main", 1, 7, False),
        ("main", 2, 9, False),
        ("main", 3, None, True),
    ]
    assert len({each["container_id"] for each in runs}) == 3
    # A read and a write for each record; what the runtime does in the container before its program starts is not always
    # the same, but far less than what another run did.
    assert 2 * said[2] < runs[1]["events"] < 2 * (said[2] + said[3])
    assert 2 * said[3] < runs[2]["events"] < 2 * said[2]
    assert report["target"]["container_events"] == [
        {"name": "main", "runs": 3, "events": sum(each["events"] for each in runs)}
    ]


def test_restarts_are_told_in_their_order(kubectl: Kubectl) -> None:
    with running_pod(kubectl, "ordered", *containers(COUNTING)) as pod:
        report = trace(kubectl, pod, lambda: kubectl.until(is_run(kubectl, pod, 3), "the third run"))
    told = incidents(report, "start", "end")
    assert [(each["kind"], each["run"], each["exit_code"]) for each in told if each["container"] == "main"] == [
        ("end", 1, 7),
        ("start", 2, None),
        ("end", 2, 9),
        ("start", 3, None),
    ]
    assert all(each["seen_by"] == ["cluster", "tracer"] for each in told if each["kind"] == "end")
    assert "BackOff" in {each["reason"] for each in incidents(report, "warning")}
    assert "crash-loop" in rules(report)


def test_a_container_that_runs_out_of_memory_is_named_with_its_moment(kubectl: Kubectl) -> None:
    limits = {"limits": {"memory": "24Mi"}}
    with running_pod(kubectl, "greedy", *containers(GREEDY, resources=limits)) as pod:
        report = trace(kubectl, pod, lambda: kubectl.until(is_run(kubectl, pod, 2), "the second run"))
    (killed,) = incidents(report, "oom_kill")
    assert (killed["container"], killed["run"], killed["exit_code"], killed["signal"]) == ("main", 1, 137, 9)
    assert killed["seen_by"] == ["cluster", "tracer"]
    assert report["findings"][0]["rule"] == "container-oom-killed"
    first, _second = report["target"]["container_runs"]
    assert (first["run"], first["reason"], first["ended"]) == (1, "OOMKilled", killed["at"])


def test_a_process_that_is_killed_is_seen_though_its_container_goes_on(kubectl: Kubectl) -> None:
    limits = {"limits": {"memory": "24Mi"}}
    with running_pod(kubectl, "greedy-child", *containers(GREEDY_CHILD, resources=limits)) as pod:
        report = trace(kubectl, pod, lambda: kubectl.until(has(kubectl, pod, "done"), "the child's end"))
        assert "it ended with 137" in kubectl("logs", pod, "-c", "main")
        assert status(kubectl, pod)["restartCount"] == 0
    (killed,) = incidents(report, "process_kill")
    assert (killed["container"], killed["run"], killed["seen_by"]) == ("main", 1, ["tracer"])
    assert sum(killed["killed"].values()) == 1, killed
    assert "processes-oom-killed" in rules(report)


def test_a_failing_liveness_probe_and_what_follows_are_told(kubectl: Kubectl) -> None:
    probe = {"exec": {"command": ["test", "-e", "/data/fine"]}, "periodSeconds": 1, "failureThreshold": 2}
    with running_pod(kubectl, "ill", *containers(ILL, livenessProbe=probe)) as pod:
        report = trace(kubectl, pod, lambda: kubectl.until(is_run(kubectl, pod, 2), "the second run"))
    order = [each["kind"] for each in incidents(report, "probe_failure", "end", "start")]
    assert order == ["probe_failure", "end", "start"]
    (failure,) = incidents(report, "probe_failure")
    assert (failure["container"], failure["reason"]) == ("main", "Unhealthy")
    assert failure["text"].startswith("Liveness probe failed")
    assert "Killing" in {each["reason"] for each in incidents(report, "remark")}
    (end,) = incidents(report, "end")
    assert (end["run"], end["exit_code"]) == (1, 137)
    assert {"probe-failed", "container-failed"} <= rules(report)


def test_a_failing_readiness_probe_is_told_while_the_container_goes_on(kubectl: Kubectl) -> None:
    probe = {"exec": {"command": ["test", "-e", "/data/fine"]}, "periodSeconds": 1}
    with running_pod(kubectl, "busy", *containers(ILL, readinessProbe=probe)) as pod:

        def fails() -> None:
            kubectl.until(lambda: status(kubectl, pod).get("ready") is False, "a failed probe")

        report = trace(kubectl, pod, fails)
    (failure,) = incidents(report, "probe_failure")
    assert failure["text"].startswith("Readiness probe failed")
    assert failure["count"] >= 1
    assert incidents(report, "end", "start") == []
    assert "probe-failed" in rules(report)


def test_a_pod_that_is_evicted_is_told(kubectl: Kubectl) -> None:
    limits = {"limits": {"ephemeral-storage": "1Mi"}}
    with running_pod(kubectl, "filling", *containers(FILLING, resources=limits)) as pod:

        def is_evicted() -> bool:
            found = json.loads(kubectl("get", "pod", pod, "-o", "json"))["status"]
            return bool(found.get("reason") == "Evicted")

        report = trace(kubectl, pod, lambda: kubectl.until(is_evicted, "the pod is evicted"))
    assert [each["reason"] for each in incidents(report, "eviction")] == ["Evicted"]
    assert "pod-evicted" in rules(report)
