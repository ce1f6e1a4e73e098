"""Latency: percentiles within 5 % of the same durations one by one, and of the program's own clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_podtrace.wire import histogram
from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import EMULATED, ask, assert_equal
from tests.bpf.second_sources import exact_percentile

pytestmark = pytest.mark.alone

FRACTIONS = (0.5, 0.9, 0.95, 0.99)


def test_percentiles_are_those_of_the_single_durations(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    load = start_load("files", str(tmp_path), cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), every_event=True))
    load.release()
    claims = load.claims().with_exits(1)
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims)
    for name in ("files.read", "files.write", "files.fsync"):
        row, durations = stream.total(name), [event.duration_ns for event in stream.events(name)]
        assert (len(durations), row.timed) == (row.count, row.count)
        assert (sum(durations), max(durations)) == (row.sum_ns, row.max_ns)
        for fraction in FRACTIONS:
            found = histogram.percentile(stream.buckets(name), fraction, row.max_ns)
            assert found == pytest.approx(exact_percentile(durations, fraction), rel=0.05), (name, fraction)


def test_percentiles_of_slow_operations_are_those_of_the_programs_own_clock(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    if EMULATED:
        pytest.skip("the peer's own receives, which take no time elsewhere, cannot be told by their duration there")
    load = start_load("timing", "delays", "53", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("tcp",)))
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims, topics=("tcp",))
    # The peer's own receives take no time: what is at least 1 ms long is the load's.
    slow = {b: n for b, n in stream.buckets("tcp.receive").items() if histogram.lower_bound(b) >= 1_000_000}
    durations = claims.body["durations_ns"]
    assert sum(slow.values()) == len(durations) == 53
    for fraction in FRACTIONS:
        found = histogram.percentile(slow, fraction, stream.total("tcp.receive").max_ns)
        assert found == pytest.approx(exact_percentile(durations, fraction), rel=0.05), fraction
