"""TCP: sends and receives with their bytes, and what the socket itself says of its round trip and its retransmits."""

from __future__ import annotations

from pathlib import Path

from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import ask, assert_equal, assert_strace_counts_the_same
from tests.bpf.second_sources import socket_statistics


def test_every_send_and_receive_is_counted_as_the_program_and_strace_count_it(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    load = start_load("tcp", "hold", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("tcp",)))
    load.release()
    claims = load.claims()
    stream = tracer.stop()
    assert_equal(stream, claims, topics=("tcp",))
    assert claims.body["client"] == [*reversed(claims.body["server"][:2]), 0]

    straced = start_load("tcp", "hold", cgroup=None, wrapper=("strace", "-ff", "-yy", "-o", str(tmp_path / "strace")))
    assert_strace_counts_the_same(stream, straced, tmp_path, "tcp")


def test_a_socket_that_is_full_would_block_and_nothing_of_it_is_lost(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("tcp", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    # Its closes and opens are no part of this load's count.
    assert_equal(stream, claims, topics=("tcp",))


def test_each_receive_that_signals_interrupt_is_one_operation(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("timing", "interrupted", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    claims = load.claims().with_exits(1)
    load.finish()
    assert claims.counts["tcp.receive"].interrupted == 10
    assert_equal(tracer.stop(), claims)


def test_a_receive_that_began_before_the_start_counts_without_latency_and_an_unfinished_one_not_at_all(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("timing", "across", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    claims = load.claims()
    stream = tracer.stop()
    assert_equal(stream, claims)
    assert stream.total("tcp.receive").count == 1
    assert stream.total("tcp.receive").timed == 0


def test_bytes_are_those_of_ss_and_each_send_and_receive_gives_a_round_trip_sample(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("timing", "pingpong", "1009", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("tcp",)))
    load.release()
    claims = load.claims()
    sent, received = (sum(socket_statistics(load.process.pid, name)) for name in ("bytes_sent", "bytes_received"))
    stream = tracer.stop()
    assert_equal(stream, claims, topics=("tcp",))
    counts = stream.counts()
    assert (counts["tcp.send"].bytes, counts["tcp.receive"].bytes) == (sent, received) == (2018, 2018)
    assert counts["tcp.rtt"].count == 4 * 1009


def test_the_round_trip_time_is_the_one_that_the_socket_tells(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("timing", "acks", "13", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("tcp",)))
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims, topics=("tcp",))
    row, told_ns = stream.total("tcp.rtt"), [1000 * us for us in claims.body["rtt_us"]]
    assert row.count == 13
    # The kernel keeps eighths of a microsecond, of which the socket tells the whole ones.
    assert sum(told_ns) <= row.sum_ns < sum(told_ns) + 13 * 1000
    assert max(told_ns) <= row.max_ns < max(told_ns) + 1000
