"""Metrics while a trace runs: scraped by the command that is traced, and while a pod's log still flows."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from urllib.request import urlopen

import pytest

from kubectl_podtrace.cli.main import main
from kubectl_podtrace.local.tracer import TracerProgram
from kubectl_podtrace.wire.codec import Line, encode
from kubectl_podtrace.wire.records import Histogram, Record, Totals
from tests.flow import fake_stream, fake_tracer
from tests.flow.fake_api import CREATING, RUNNING, Call, FakeApi, stamped, target_pod

ROOT = Path(__file__).parents[2]
SCRAPE = """
import re, sys, urllib.request
while not (found := re.search(r"http://\\S+", open("/dev/stderr").read())):
    pass
while "podtrace_files_operations_total" not in (text := urllib.request.urlopen(found[0]).read().decode()):
    pass
print(text)
"""
"""Our stderr is the file that the address is written to before the command begins."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="local mode is for Linux")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("metrics")] == []


def local(notes: Path, *arguments: str) -> int:
    program = TracerProgram(
        arguments=(sys.executable, str(Path(fake_tracer.__file__)), "watched", str(notes)),
        environment={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    return main(["local", *arguments], local_tracer=lambda: nullcontext(program))


@pytest.mark.parametrize("duration", [(), ("--diagnose", "60s")])
def test_a_command_s_metrics_are_there_while_it_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], duration: tuple[str, ...]
) -> None:
    report, notes = tmp_path / "report.json", tmp_path / "notes.json"
    command = ("--metrics-address", "127.0.0.1:0", "-o", str(report), "--", sys.executable, "-c", SCRAPE)
    assert local(notes, *duration, *command) == 0
    out, err = capfd.readouterr()
    assert f'podtrace_files_operations_total{{operation="read"}} {float(fake_tracer.READS)}' in out
    assert f'podtrace_files_duration_seconds_count{{operation="read"}} {float(fake_tracer.READS)}' in out
    assert json.loads(report.read_text())["files"]["read"]["count"] == fake_tracer.READS
    assert "note: metrics are at http://127.0.0.1:" in err
    assert json.loads(notes.read_text())["is_watched"] is True


def taken_port() -> tuple[socket.socket, str]:
    taken = socket.create_server(("127.0.0.1", 0))
    return taken, f"127.0.0.1:{taken.getsockname()[1]}"


def test_an_address_in_use_is_an_error_before_the_command_starts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    taken, address = taken_port()
    with closing(taken):
        code = local(tmp_path / "notes.json", "--metrics-address", address, "--", "touch", str(tmp_path / "marker"))
    out, err = capfd.readouterr()
    assert (code, out) == (1, "")
    assert f"error: metrics cannot be served at {address}: Address already in use\nhint: --metrics-address" in err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def shop(api: FakeApi, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("PODTRACE_IMAGE", "tracer:1")
    api.pods["shop", "api-0"] = target_pod()
    api.starts = [CREATING, RUNNING]
    return api


def lines(first_seq: int, *records: Record) -> list[bytes]:
    return [
        encode(Line(seq=seq, at_ns=(3 + seq) * fake_stream.SECOND_NS, record=record)).rstrip(b"\n")
        for seq, record in enumerate(records, start=first_seq)
    ]


@pytest.mark.parametrize("arguments", [("--diagnose", "1s"), ()])
def test_a_pod_s_metrics_are_there_while_its_log_flows(
    shop: FakeApi, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    scraped = []

    def scrape() -> None:
        url = capsys.readouterr().err.partition("metrics are at ")[2].split()[0]
        text = ""
        while "podtrace_files_operations_total" not in text:
            with urlopen(url) as answer:
                text = answer.read().decode()
        scraped.append(text)

    told = lines(
        len(fake_stream.beginning()),
        Totals(rows=(fake_stream.READS_ROW,)),
        Histogram(scope=0, operation="files.read", buckets=(0, 1)),
        fake_stream.HEARTBEAT,
    )
    shop.logs = [
        [stamped(*fake_stream.beginning(), *told), Call(function=scrape), stamped(*fake_stream.end(), second=1)]
    ]
    assert main(["api-0", "--metrics-address", "127.0.0.1:0", "--export", "json", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert f'podtrace_files_bytes_total{{operation="read"}} {float(fake_stream.READ_BYTES)}' in scraped[0]
    assert report["files"]["read"]["bytes"] == fake_stream.READ_BYTES
    assert 'namespace="shop",node="node-a",pid="",pod="api-0"' in scraped[0]
    (created,) = shop.created
    assert json.loads(created["spec"]["containers"][0]["env"][0]["value"])["is_watched"] is True


def test_an_address_that_cannot_be_had_creates_no_tracer_pod(shop: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    taken, address = taken_port()
    with closing(taken):
        assert main(["api-0", "--metrics-address", address]) == 1
    assert "Address already in use" in capsys.readouterr().err
    assert shop.created == []


def test_an_address_that_makes_no_sense_asks_no_cluster(shop: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api-0", "--metrics-address", ":9090"]) == 2
    assert 'error: ":9090" is not an address for metrics' in capsys.readouterr().err
    assert shop.requests == []


def test_a_trace_that_cannot_begin_ends_its_metrics(shop: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    shop.logs = [[stamped(*fake_stream.refusal())]]
    assert main(["api-0", "--metrics-address", "127.0.0.1:0"]) == 7
    url = capsys.readouterr().err.partition("metrics are at ")[2].split()[0]
    with pytest.raises(OSError, match="refused"), urlopen(url):
        pass
