"""UDP: sends and receives with their bytes and errors, and datagrams that a full socket drops."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kubectl_podtrace.wire import histogram, records
from kubectl_podtrace.wire.request import CgroupTarget, ProcessTarget
from tests.bpf.conftest import MakeCgroup, StartLoad, StartTracer
from tests.bpf.harness import EMULATED, Claims, ask, assert_equal, assert_strace_counts_the_same
from tests.bpf.second_sources import exact_percentile, net_counter
from tests.bpf.stream import NOT_BY_V2

OWN_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""The load in a network namespace of its own, whose counters are then the load's."""
SENT, DROPPED = 1009, 700
UDP = ("udp",)


def kernel_drops(pid: int) -> int:
    """What /proc/net/udp says that its sockets threw away."""
    lines = Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]
    return sum(int(line.split()[-1]) for line in lines)


def datagrams(claims: Claims, operation: str) -> int:
    """How many datagrams the load's successful calls moved."""
    row = claims.counts[operation]
    many = {"udp.send": 6 * 7 - 3 * 2, "udp.receive": 15}[operation]
    return row.count - row.errors - many + row.messages


def test_every_send_and_receive_is_counted_as_the_program_strace_and_the_kernel_count_it(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    load = start_load("udp", "hold", cgroup=cgroup, wrapper=OWN_NETWORK)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("udp", "descriptors")))
    load.release()
    claims = load.claims()
    pid = load.process.pid
    six = dict(line.split() for line in Path(f"/proc/{pid}/net/snmp6").read_text().splitlines())
    sent = net_counter(pid, "Udp", "OutDatagrams") + int(six["Udp6OutDatagrams"])
    received = net_counter(pid, "Udp", "InDatagrams") + int(six["Udp6InDatagrams"])
    stream = tracer.stop()
    assert_equal(stream, claims, topics=UDP)
    assert (datagrams(claims, "udp.send"), datagrams(claims, "udp.receive")) == (sent, received)
    assert (errno.ECONNREFUSED in {number for _, number in stream.errors}) is True

    straced = start_load("udp", "hold", cgroup=None, wrapper=("strace", "-ff", "-yy", "-o", str(tmp_path / "strace")))
    assert_strace_counts_the_same(stream, straced, tmp_path, "udp")


def test_all_topics_together_count_the_same(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("udp", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup))))
    load.release()
    claims = load.claims()
    load.finish()
    # Its plain closes and opens are no part of this load's count.
    assert_equal(tracer.stop(), claims, topics=("udp", "tcp", "files"))


def test_datagrams_that_a_full_socket_drops_are_those_that_the_kernel_counts(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("udp", "drops", "1000", str(SENT), "hold", cgroup=cgroup, wrapper=OWN_NETWORK)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=UDP))
    load.release()
    claims = load.claims()
    dropped = net_counter(load.process.pid, "Udp", "RcvbufErrors")
    assert dropped == kernel_drops(load.process.pid) == SENT - claims.counts["udp.receive"].count > DROPPED
    stream = tracer.stop()
    assert_equal(stream, claims, topics=UDP)
    assert stream.total("udp.drop").count == dropped


@pytest.mark.parametrize("kind", ["v1", "process"])
def test_where_sockets_do_not_tell_their_container_drops_are_not_counted_and_the_stream_says_so(
    kind: str, make_cgroup: MakeCgroup, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    place = make_cgroup(f"podtrace-test-{os.getpid()}", "v1") if kind == "v1" else None
    load = start_load("udp", "drops", "1000", "101", cgroup=place)
    target = CgroupTarget(path=str(place)) if place else ProcessTarget(pid=load.process.pid)
    tracer = start_tracer(ask(target, topics=UDP))
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims, topics=UDP)
    (absent,) = {probe for probe in stream.of(records.Probe) if not probe.attached and probe.reason == NOT_BY_V2}
    assert absent.costs == "datagrams that were dropped at a full socket are not counted"
    assert "udp.drop" not in stream.counts()


def test_percentiles_of_receives_that_wait_are_those_of_the_programs_own_clock(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    if EMULATED:
        pytest.skip("an emulated processor lets milliseconds pass between a call's end and the program's own clock")
    load = start_load("udp", "delays", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=UDP))
    load.release()
    claims = load.claims()
    load.finish()
    stream = tracer.stop()
    assert_equal(stream, claims, topics=UDP)
    row, durations = stream.total("udp.receive"), claims.body["durations_ns"]
    assert row.timed == len(durations) == 53
    for fraction in (0.5, 0.9, 0.99):
        found = histogram.percentile(stream.buckets("udp.receive"), fraction, row.max_ns)
        assert found == pytest.approx(exact_percentile(durations, fraction), rel=0.05), fraction
