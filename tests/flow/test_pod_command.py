from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import yaml

from kubectl_podtrace.cli.main import main
from kubectl_podtrace.wire import records
from kubectl_podtrace.wire.codec import Line, encode
from kubectl_podtrace.wire.topics import TOPICS
from kubectl_podtrace.wire.version import WIRE_VERSION
from tests.flow.fake_api import RUNNING, Call, FakeApi, Refusal, Until, stamped, target_pod

SECOND_NS = 10**9
READS = 4243
HEARTBEAT = records.Heartbeat(
    lost=(), dropped=(), suppressed=(), tables=(), stream_bytes=1000, cpu_ns=1000, rss_bytes=90_000_000
)
ROW = records.TotalsRow(
    scope=0, operation="files.read", count=READS, errors=0, would_block=0, interrupted=0, bytes=READS, messages=0,
    timed=0, slow=0, sum_ns=0, max_ns=0, max_bytes=1,
)  # fmt: skip


def header(started_ns: int) -> records.Header:
    return records.Header(
        wire_version=WIRE_VERSION, tracer_version="0.0.fake", node="node-a", kernel="6.0", machine="x86_64",
        bcc_version="0", boot_id="", realtime_offset_ns=0, topics=TOPICS, fs_threshold_ns=10_000_000,
        rtt_threshold_ns=100_000_000, duration_ns=0, scope_mode="cgroup", started_ns=started_ns,
    )  # fmt: skip


def log(*said: records.Record, first: int = 1) -> bytes:
    lines = (Line(seq=seq, at_ns=seq * SECOND_NS, record=record) for seq, record in enumerate(said, start=first))
    return stamped(*(encode(line).rstrip(b"\n") for line in lines))


BEGIN = log(header(0), records.Scope(index=0, cgroup_id=1, cgroup="/", container_id="aaaa"), header(SECOND_NS))
END = log(
    records.Totals(rows=(ROW,)),
    HEARTBEAT,
    records.Trailer(ended_ns=9 * SECOND_NS, reason="duration", heartbeat=HEARTBEAT, totals=(ROW,)),
    first=4,
)


@pytest.fixture
def ready(api: FakeApi) -> FakeApi:
    """A cluster with the target in it, in which a tracer starts at once."""
    api.pods["shop", "api-0"] = target_pod()
    api.starts = [RUNNING]
    return api


@pytest.fixture
def connection(kubeconfig: Path) -> list[str]:
    return ["--kubeconfig", str(kubeconfig), "--image", "tracer:1"]


def test_a_pod_is_traced_reported_and_the_tracer_pod_deleted(
    ready: FakeApi, connection: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ready.logs = [[BEGIN, END]]
    assert main(["-n", "shop", "api-0", "--diagnose", "30s", *connection]) == 0
    shown = capsys.readouterr()
    assert "4,243" in shown.out
    assert shown.err.splitlines()[-2:] == ["compiling the probes", "tracing"]
    assert list(ready.pods) == [("shop", "api-0")]


def test_the_request_and_the_tracer_pod_are_what_the_flags_say(
    ready: FakeApi, connection: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ready.logs = [[BEGIN, END]]
    flags = ["--diagnose", "1m30s", "--filter", "net", "--rtt-threshold", "7", "--image-pull-policy", "Never"]
    flags += ["--tracer-namespace", "tools", "--image-pull-secret", "a", "--image-pull-secret", "b", "-o", "json"]
    assert main(["pod/api-0", *flags, *connection]) == 0
    pod = ready.created[0]
    container = pod["spec"]["containers"][0]
    request = json.loads(next(each["value"] for each in container["env"] if each["name"] == "PODTRACE_REQUEST"))
    assert request["target"] == {"kind": "pod", "uid": "uid-of-api-0"}
    assert (request["duration_ns"], request["rtt_threshold_ns"]) == (90 * SECOND_NS, 7_000_000)
    assert request["topics"] == ["tcp", "udp", "connections"]
    assert (pod["metadata"]["namespace"], container["image"], container["imagePullPolicy"]) == (
        "tools",
        "tracer:1",
        "Never",
    )
    assert pod["spec"]["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert json.loads(capsys.readouterr().out)["target"]["pods"] == ["api-0"]


def test_a_dry_run_prints_the_pod_and_creates_nothing(
    ready: FakeApi, connection: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["api-0", "--dry-run", *connection]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["spec"]["nodeName"] == "node-a"
    assert ready.created == []


def test_ctrl_c_stops_the_tracer_and_the_report_follows(
    ready: FakeApi, connection: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt = Call(function=lambda: os.kill(os.getpid(), signal.SIGINT))
    ready.logs = [[BEGIN, interrupt, Until(event=ready.stopped), END]]
    assert main(["api-0", *connection]) == 0
    assert ready.stopped.is_set()
    shown = capsys.readouterr()
    assert "4,243" in shown.out
    assert "note: Ctrl+C ends the trace, and the report follows" in shown.err
    assert list(ready.pods) == [("shop", "api-0")]


def test_a_missing_pod_is_an_error_with_its_exit_code(
    api: FakeApi, connection: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-n", "shop", "api-9", *connection]) == 5
    shown = capsys.readouterr()
    error = 'error: there is no pod "api-9" in namespace "shop"\nhint: see: kubectl get pods -n shop\n'
    assert shown.err == f"finding the pod\n{error}"
    assert shown.out == ""


def test_a_tracer_that_refuses_is_quoted_and_deleted(
    ready: FakeApi, connection: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ready.logs = [[log(records.Refusal(slug="old-kernel", text="kernel 5.4 is too old", hint="5.8 or newer"))]]
    assert main(["api-0", *connection]) == 7
    assert "error: kernel 5.4 is too old\nhint: 5.8 or newer\n" in capsys.readouterr().err
    assert list(ready.pods) == [("shop", "api-0")]


def test_a_policy_s_refusal_is_quoted(
    ready: FakeApi, connection: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ready.refusals["create pods"] = Refusal(status=403, message='violates PodSecurity "restricted:latest"')
    assert main(["api-0", *connection]) == 6
    assert 'violates PodSecurity "restricted:latest"' in capsys.readouterr().err


def test_a_development_version_asks_for_an_image(
    ready: FakeApi, kubeconfig: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PODTRACE_IMAGE", raising=False)
    assert main(["api-0", "--kubeconfig", str(kubeconfig)]) == 6
    assert "make image" in capsys.readouterr().err
