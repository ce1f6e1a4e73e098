from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kubectl_podtrace.cli.main import main
from tests.flow import fake_stream
from tests.flow.fake_api import (
    CREATING,
    ENDED,
    RUNNING,
    Call,
    FakeApi,
    Refusal,
    Until,
    stamped,
    target_pod,
    tracer_status,
)

Trace = Callable[..., int]


@pytest.fixture
def trace(api: FakeApi, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Trace:
    """The command line, with the fake cluster's kubeconfig and a running pod `api-0` to trace."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("PODTRACE_IMAGE", "tracer:1")
    api.pods["shop", "api-0"] = target_pod()
    api.starts = [CREATING, RUNNING]
    api.logs = [[stamped(*fake_stream.beginning()), stamped(*fake_stream.end(), second=1)]]
    return lambda *arguments: main(arguments)


def assert_exact(printed: str) -> None:
    """The report has the stream's numbers, and knows that it has all of them."""
    report = json.loads(printed)
    assert (report["files"]["read"]["count"], report["files"]["read"]["bytes"]) == (
        fake_stream.READS,
        fake_stream.READ_BYTES,
    )
    assert report["trust"]["complete"] is True
    assert report["target"]["containers"] == ["app"]


def test_a_pod_is_traced_to_a_report(api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    assert trace("api-0", "--diagnose", "1s", "--export", "json") == 0
    assert_exact(capsys.readouterr().out)
    assert list(api.pods) == [("shop", "api-0")]
    (created,) = api.created
    assert created["spec"]["nodeName"] == "node-a"
    request = json.loads(created["spec"]["containers"][0]["env"][0]["value"])
    assert request["target"] == {"kind": "pod", "uid": "uid-of-api-0"}
    assert request["duration_ns"] == 10**9


def test_a_log_that_is_cut_gives_the_same_report(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = [*fake_stream.beginning(), *fake_stream.end()]
    cut = stamped(*whole[:3])[:-20]
    api.logs = [[cut], [stamped(*whole)]]
    assert trace("api-0", "--diagnose", "1s", "--export", "json") == 0
    assert_exact(capsys.readouterr().out)


def test_single_events_are_written_once_each_though_the_log_is_cut(
    api: FakeApi, trace: Trace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = [*fake_stream.beginning(), *fake_stream.end_after_restart()]
    api.logs = [[stamped(*whole[:6])], [stamped(*whole)]]
    path = tmp_path / "events.csv"
    assert trace("api-0", "--all-containers", "--export", "csv", "--events-csv", str(path)) == 0
    header, killed, kept_back = path.read_text().splitlines()
    assert header.startswith("time,operation,container,")
    assert killed.startswith("2023-11-14T22:13:21.000000000Z,processes.exit,app,1,4001,app,1500000000,,SIGKILL,")
    assert kept_back.endswith(",0")
    assert capsys.readouterr().out.startswith("section,key,name,metric,value,unit")
    assert list(tmp_path.glob("*events*")) == [path]


def test_ctrl_c_ends_the_trace_with_a_report(
    api: FakeApi, trace: Trace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main_thread = threading.get_ident()

    def ctrl_c() -> None:
        signal.pthread_kill(main_thread, signal.SIGINT)

    api.logs = [
        [
            stamped(*fake_stream.beginning()),
            Call(function=ctrl_c),
            Until(event=api.stopped),
            stamped(*fake_stream.end(), second=1),
        ]
    ]
    assert trace("api-0", "--export", "json", "--events-csv", str(tmp_path / "events.csv")) == 0
    assert_exact(capsys.readouterr().out)
    assert "(suppressed)" in (tmp_path / "events.csv").read_text().splitlines()[-1]
    assert list(api.pods) == [("shop", "api-0")]


def test_a_tracer_that_cannot_trace_there_is_quoted(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    api.starts = [ENDED]
    api.logs = [[stamped(*fake_stream.refusal())]]
    assert trace("api-0", "--diagnose", "1s") == 7
    printed = capsys.readouterr()
    assert "error: this kernel has no BTF\nhint: use a kernel with BTF\n" in printed.err
    assert printed.out == ""
    assert list(api.pods) == [("shop", "api-0")]


def test_a_dry_run_prints_the_pod_and_creates_nothing(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trace("api-0", "--diagnose", "1s", "--dry-run", "--tracer-namespace", "tools") == 0
    pod = yaml.safe_load(capsys.readouterr().out)
    assert (pod["kind"], pod["metadata"]["namespace"]) == ("Pod", "tools")
    assert api.created == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["api;reboot"], "cannot be the name of a pod"),
        (["svc/api"], "cannot trace"),
        (["api-0", "-n", "../x"], "cannot be the name of a namespace"),
    ],
)
def test_bad_input_asks_no_cluster(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert trace(*arguments) == 2
    assert words in capsys.readouterr().err
    assert api.requests == []


def test_an_image_that_cannot_be_pulled_is_an_error_with_a_hint(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    api.starts = [tracer_status({"waiting": {"reason": "ErrImagePull", "message": "not found \x1b[2J"}})]
    api.logs = []
    assert trace("api-0", "--diagnose", "1s") == 6
    printed = capsys.readouterr().err
    assert "error: the node cannot get the tracer image" in printed
    assert "--image-pull-secret" in printed
    assert "\x1b" not in printed
    assert list(api.pods) == [("shop", "api-0")]


def test_a_missing_right_is_an_error_with_a_way_to_check(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refusals["create pods"] = Refusal(status=403, message='User "bob" cannot create resource "pods"')
    assert trace("api-0", "--diagnose", "1s") == 4
    assert "hint: check with: kubectl auth can-i create pods -n shop" in capsys.readouterr().err


def test_a_gate_that_passes_changes_nothing_but_the_report(trace: Trace, capsys: pytest.CaptureFixture[str]) -> None:
    gate = ("--fail-on", "files.read.errors > 0", "--fail-on", "trust.complete == false")
    assert trace("api-0", "--diagnose", "1s", "--export", "json", *gate) == 0
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert (report["gate"]["passed"], [each["found"] for each in report["gate"]["conditions"]]) == (True, [0, True])
    assert "gate" not in shown.err


def test_a_gate_that_fails_is_exit_code_3_with_the_reasons_behind_the_report(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    conditions = "files.read.count >= 1", "files.open.latency.p99 > 50ms", "files.read.errors > 0"
    gate = [word for condition in conditions for word in ("--fail-on", condition)]
    no_failure = 'where that is no failure, end the condition with "if any"'
    assert trace("api-0", "--diagnose", "1s", *gate) == 3
    shown = capsys.readouterr()
    assert "\nGate\n  verdict     failed: of 3 conditions 1 holds, 1 could not be judged\n" in shown.out
    assert f"  failed      files.read.count >= 1: found {fake_stream.READS:,}\n" in shown.out
    assert shown.err.splitlines()[-4:] == [
        f"gate: failed: files.read.count >= 1: found {fake_stream.READS:,}",
        f"gate: not judged: files.open.latency.p99 > 50ms: nothing was timed ({no_failure})",
        "error: the gate failed: of 3 conditions 1 holds, 1 could not be judged",
        "hint: exit code 3 is the gate's; the report has each condition",
    ]
    assert list(api.pods) == [("shop", "api-0")]


@pytest.mark.parametrize("arguments", [["api-0", "--diagnose", "1s"], ["api-0", "--dry-run"], ["check", "api-0"]])
def test_a_typo_in_a_condition_asks_no_cluster(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert trace(*arguments, "--fail-on", "dns.latncy.p99 > 50ms") == 2
    assert 'there is no "latncy" in dns\nhint: did you mean "latency"?' in capsys.readouterr().err
    assert api.requests == []


def test_a_condition_on_what_the_filter_leaves_out_asks_no_cluster(
    api: FakeApi, trace: Trace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trace("api-0", "--filter", "net", "--fail-on", "dns.latency.p99 > 50ms") == 2
    assert "--filter leaves out what dns.latency.p99_ns is about" in capsys.readouterr().err
    assert api.requests == []


def test_a_gate_does_not_hide_that_the_report_could_not_be_written(
    api: FakeApi, trace: Trace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    api.logs[0].insert(0, Call(function=place.rmdir))
    gate = ("--fail-on", "files.read.count >= 1")
    assert trace("api-0", "--diagnose", "1s", "-o", str(place / "report.json"), *gate) == 8
    shown = capsys.readouterr()
    assert "gate: failed: files.read.count >= 1" in shown.err
    assert json.loads(shown.out)["gate"]["passed"] is False
