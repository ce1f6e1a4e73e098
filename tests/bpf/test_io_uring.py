"""What goes through io_uring is in no number of the topics, and the report says how much that is."""

from __future__ import annotations

import ctypes
import errno
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.topics import BYPASSES, TOPICS
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import Load, ask, assert_equal
from tests.bpf.installed import needed

SETUP_NUMBER = 425
"""Of io_uring_setup, on every architecture."""


def _why_not() -> str | None:
    parameters = ctypes.create_string_buffer(120)
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.syscall(SETUP_NUMBER, 1, parameters)
    if descriptor >= 0:
        library.close(descriptor)
        return None
    return f"io_uring_setup says {errno.errorcode[ctypes.get_errno()]}: io_uring is absent or forbidden here"


@pytest.fixture(autouse=True)
def _ring() -> None:
    reason = _why_not()
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize("how", [(), ("poll",)], ids=["entered", "polled"])
def test_requests_are_counted_by_kind_and_are_in_no_other_number(
    *, run: int, how: tuple[str, ...], cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    load = start_load("uring", str(tmp_path), *how, cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    claims = load.claims().with_exits(1)
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims)
    counted = {name: row.count for name, row in stream.counts().items() if name.startswith("io_uring.")}
    assert counted == claims.body["requests"]


@pytest.mark.parametrize("topic", TOPICS)
def test_requests_are_noticed_with_every_topic_whose_numbers_lack_them(
    topic: str, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    load = start_load("uring", str(tmp_path), cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=(topic,)))
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    counted = {name: row.count for name, row in stream.counts().items() if name.startswith("io_uring.")}
    lacking = {topic for topics in BYPASSES.values() for topic in topics}
    assert counted == (claims.body["requests"] if topic in lacking else {})


def test_requests_of_others_are_not_counted(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    load = start_load("uring", str(tmp_path), cgroup=None)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    load.claims()
    load.finish()
    assert tracer.stop().counts() == {}


def test_what_a_run_time_hands_to_io_uring_is_counted(
    cgroup: Path, start_tracer: StartTracer, tmp_path: Path, opened: ExitStack
) -> None:
    node = needed("node", "nodejs")
    version = subprocess.run([node, "-p", "process.versions.uv"], capture_output=True, text=True, check=True).stdout
    # https://github.com/libuv/libuv/pull/4492
    if not (1, 45) <= tuple(map(int, version.split(".")[:2])) < (1, 49):
        pytest.skip(f"the libuv of this node, {version.strip()}, hands no files to io_uring (1.45 to 1.48 do)")
    script = Path(__file__).parent / "workloads/uring.js"
    load = Load(Path("/usr/bin/env"), "UV_USE_IO_URING=1", node, str(script), str(tmp_path), cgroup=cgroup)
    opened.callback(load.close)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    stream.assert_whole()
    counted = {name: row.count for name, row in stream.counts().items() if name.startswith("io_uring.")}
    assert counted == claims.body["requests"]
    assert not [path for path in stream.files if path.startswith(str(tmp_path))]
