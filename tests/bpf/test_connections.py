"""Connections: each attempt counts once and ends as its program says: established, failed by name, aborted, pending."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

from kubectl_podtrace.wire import records
from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.topics import ABORTED
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.harness import ask, assert_equal
from tests.bpf.kernel_trace import threads_at
from tests.bpf.second_sources import net_counter, segments_sent_again

NETWORK = """set -e
ip link set lo up
ip route add unreachable 198.51.100.0/24
ip route add prohibit 203.0.113.0/24
ip link add name near type veth peer name far
echo 1 > /proc/sys/net/ipv4/neigh/near/mcast_solicit
echo 100 > /proc/sys/net/ipv4/neigh/near/retrans_time_ms
ip addr add 192.0.2.1/24 dev near
ip link set near up
ip link set far up
exec "$@"
"""
"""A network namespace in which connections can end in every way, and nobody else's packets are counted."""

TOPICS = ("connections", "descriptors", "tcp")
FULL = ("127.0.0.1", 4300)
"""Whose queue is full, as the load `interrupted` has it."""
SYN_SENT, CLOSE = 2, 7


def threads_of_first_process() -> set[int]:
    return {int(thread.name) for thread in Path("/proc/1/task").iterdir()}


def test_every_attempt_ends_in_the_tracer_as_it_ends_in_the_program(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("connections", "hold", cgroup=cgroup, wrapper=("unshare", "-n", "sh", "-c", NETWORK, "sh"))
    retransmits_before = segments_sent_again(load.process.pid)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS))
    load.release()
    claims = load.claims()
    retransmits = segments_sent_again(load.process.pid) - retransmits_before
    opened = net_counter(load.process.pid, "Tcp", "ActiveOpens")
    stream = tracer.stop()
    # Attempts that are still pending are sent again while the trace ends: in it, or behind it.
    retransmits_behind = segments_sent_again(load.process.pid) - retransmits_before
    assert_equal(stream, claims, topics=TOPICS)

    counts, failures = stream.counts(), claims.errors
    told = {number: count for (name, number), count in failures.items() if name == "connections.failure"}
    assert set(told) == {
        ABORTED, errno.EACCES, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.ETIMEDOUT,
        errno.ECONNREFUSED, errno.EHOSTUNREACH,
    }  # fmt: skip
    pending = counts["connections.attempt"].count - counts["connections.failure"].count
    assert pending - counts["connections.handshake"].count == 3
    assert counts["connections.attempt"].errors == 0
    assert {(a.removeprefix("::ffff:"), port): v for (a, port), v in stream.targets.items() if port} == {
        (address.removeprefix("::ffff:"), port): attempts for (address, port), attempts in claims.targets.items()
    }
    # The kernel's own counters of that network namespace; ActiveOpens lacks attempts that failed before a packet left.
    resent = counts["tcp.retransmit"].count if "tcp.retransmit" in counts else 0
    assert 0 < retransmits <= resent <= retransmits_behind
    before_the_start, sync_failures = 5, sum(told[n] for n in (errno.EACCES, errno.EAFNOSUPPORT, errno.ENETUNREACH))
    assert opened - before_the_start <= counts["connections.attempt"].count - sync_failures
    assert counts["tcp.reset_received"].count == told[errno.ECONNREFUSED]


def test_connections_that_were_there_before_are_known_at_the_start(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("connections", cgroup=cgroup, wrapper=("unshare", "-n", "sh", "-c", NETWORK, "sh"))
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("connections",)))
    load.release()
    load.claims()
    load.finish()
    stream = tracer.stop()
    existing = list(stream.of(records.Existing))
    rows = {(row.state, row.address, row.port): row.count for record in existing for row in record.rows}
    assert rows["ESTABLISHED", "127.0.0.1", 4000] == 5
    assert existing[0].total == sum(rows.values())


def test_attempts_that_a_timer_ends_inside_the_same_program_count_too(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    """A timer's interrupt comes while a process is inside the program of the very tracepoint that the timer reaches."""
    ends = f"dport == {FULL[1]} && oldstate == {SYN_SENT} && newstate == {CLOSE}"
    load = start_load("connections", "interrupted", cgroup=cgroup, wrapper=("unshare", "-n", "sh", "-c", NETWORK, "sh"))
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS))
    firsts = threads_of_first_process()
    with threads_at("sock/inet_sock_set_state", ends) as interrupted:
        load.release()
        claims = load.claims()
        load.finish()
        ended_in = interrupted()
    stream = tracer.stop()
    firsts |= threads_of_first_process()
    assert claims.errors["connections.failure", errno.ETIMEDOUT] == len(ended_in) == 101 * 7
    # A kernel may run no programs while a thread of the machine's first process is current, nor in an interrupt of it:
    # what timers end then is in the kernel's own trace alone.
    unseen = len(ended_in) - stream.errors["connections.failure", errno.ETIMEDOUT]
    assert unseen in {0, sum(thread in firsts for thread in ended_in)}
    assert_equal(stream, claims.without("connections.failure", errno.ETIMEDOUT, unseen), topics=TOPICS)
    full = claims.targets[FULL]
    targets = claims.targets | {FULL: replace(full, failed=full.failed - unseen)}
    assert {key: v for key, v in stream.targets.items() if key[1]} == targets
