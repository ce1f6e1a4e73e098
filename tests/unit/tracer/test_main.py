from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from kubectl_podtrace.wire.request import REQUEST_VARIABLE, PodTarget, TraceRequest
from kubectl_podtrace.wire.version import WIRE_VERSION

COMMAND = [sys.executable, "-m", "podtrace_tracer"]
GOOD = TraceRequest(target=PodTarget(uid="no-such-pod"), topics=("tcp",), duration_ns=1).to_json()


def environment(request: str | None) -> dict[str, str]:
    asked = {} if request is None else {REQUEST_VARIABLE: request}
    return {"PYTHONPATH": os.pathsep.join(sys.path), "NODE_NAME": "node-7", **asked}


def run(request: str | None) -> tuple[int, list[dict[str, Any]], bytes]:
    done = subprocess.run(
        COMMAND, env=environment(request), stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.parametrize("request_text", [None, "{", GOOD.replace("tcp", "tpc")])
def test_a_request_that_cannot_be_read_is_refused_on_the_stream(request_text: str | None) -> None:
    code, records, said = run(request_text)
    assert (code, said) == (3, b"")
    assert [(record["kind"], record["slug"], record["seq"]) for record in records] == [("refusal", "request", 0)]


def test_the_header_comes_before_a_refusal() -> None:
    code, records, said = run(GOOD)
    assert (code, said) == (3, b"")
    assert [record["kind"] for record in records] == ["header", "refusal"]
    header = records[0]
    assert (header["wire_version"], header["node"], header["topics"]) == (WIRE_VERSION, "node-7", ["tcp"])
    assert (header["duration_ns"], header["started_ns"]) == (1, 0)


def test_a_tracer_that_nobody_reads_ends_without_a_word() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        COMMAND,
        env=environment(GOOD),
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_failure_of_the_tracer_s_own_is_said_on_the_stream_and_names_its_place() -> None:
    program = (
        "import sys\n"
        "from podtrace_tracer.__main__ import main\n"
        "def trace(emitter, stop):\n"
        "    raise ZeroDivisionError('by zero')\n"
        "sys.exit(main(trace))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(None),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    record = json.loads(done.stdout)
    assert (done.returncode, done.stderr, record["kind"], record["slug"]) == (4, b"", "notice", "tracer-failed")
    assert "<string>:4: ZeroDivisionError: by zero" in record["text"]
