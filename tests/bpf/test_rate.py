"""A million operations a second: nothing is lost, and the stream stays small."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubectl_podtrace.wire import records
from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import EMULATED, ask, assert_equal, remark

pytestmark = pytest.mark.alone

PAIRS = 99_991 if EMULATED else 1_000_003
STREAM_BYTES_PER_S = 64 * 1024


def test_at_a_million_operations_a_second_every_one_is_counted(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, shm: Path
) -> None:
    processes = max(2, len(os.sched_getaffinity(0)))
    load = start_load("rate", str(shm), str(processes), str(PAIRS), cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    claims = load.claims().with_exits(1)
    load.finish()
    stream = tracer.stop()
    per_s, used = claims.body["per_s"], claims.body["processors"]
    remark(f"{per_s:,} operations/s on {used} processors")
    assert_equal(stream, claims)
    assert sum(use.operations for use in stream.files.values()) == 2 * PAIRS * processes
    # Where others take the processors, the rate is theirs to decide; then it is what two undisturbed ones would reach.
    assert EMULATED or per_s * max(1.0, 2 / used) >= 1_000_000
    heartbeats = list(stream.of(records.Heartbeat))
    seconds = max(1.0, (stream.trailer.ended_ns - stream.started_ns) / 1e9)
    assert heartbeats[-1].stream_bytes - heartbeats[0].stream_bytes <= STREAM_BYTES_PER_S * seconds
