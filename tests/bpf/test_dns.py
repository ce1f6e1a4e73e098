"""DNS: lookups, answers, codes, types, names, retransmits and time-outs, by every system call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.wire import dns_records, histogram
from kubectl_podtrace.wire.request import CgroupTarget
from podtrace_tracer.programs.program import TABLE_SIZES
from tests.bpf.conftest import StartLoad, StartTracer
from tests.bpf.dns_network import DnsNetwork
from tests.bpf.dns_stream import asked_by_name, assert_dns_adds_up, codes, names, resolvers, types
from tests.bpf.harness import EMULATED, ask
from tests.bpf.second_sources import exact_percentile
from tests.bpf.stream import Stream

DNS = ("dns",)
LOCAL = ("127.0.0.1", 53)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[DnsNetwork]:
    network = DnsNetwork(tmp_path)
    yield network
    network.close()


class Traced:
    """A load that was traced to its end: what it told and what the tracer said."""

    def __init__(self, told: dict[str, Any], stream: Stream) -> None:
        self.body = told
        self.told = told["dns"]
        self.stream = stream


@pytest.fixture
def trace(network: DnsNetwork, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer) -> Any:
    def run(*arguments: str, topics: tuple[str, ...] = DNS, whole: bool = True) -> Traced:
        load = start_load("dns", *arguments, cgroup=cgroup, wrapper=network.inside)
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=topics))
        load.release()
        body = load.claims().body
        stream = tracer.stop()
        if whole:
            stream.assert_whole()
            assert_dns_adds_up(stream)
        return Traced(body, stream)

    return run


def assert_as_told(traced: Traced) -> None:
    """The stream's counts are those of the program."""
    counts, told = traced.stream.counts(), traced.told
    for operation, name in (
        ("lookup", "lookups"), ("answer", "answers"), ("retransmit", "retransmits"), ("timeout", "timeouts"),
    ):  # fmt: skip
        assert getattr(counts.get(f"dns.{operation}"), "count", 0) == told[name], operation
    assert codes(traced.stream) == {int(code): count for code, count in told["codes"].items()}
    assert types(traced.stream) == {int(kind): count for kind, count in told["types"].items()}


def test_every_way_to_send_and_to_receive_is_counted_as_the_program_and_the_server_count(
    run: int, network: DnsNetwork, trace: Any
) -> None:
    traced = trace("calls")
    assert_as_told(traced)
    assert asked_by_name(traced.stream) == network.asked_names()
    assert set(resolvers(traced.stream)) == {LOCAL, ("::1", 53)}
    row = traced.stream.total("dns.lookup")
    assert row.timed == traced.told["answers"]
    assert row.sum_ns <= traced.told["sum_ns"]
    assert row.max_ns <= traced.told["max_ns"]


def test_all_topics_together_count_the_same(run: int, network: DnsNetwork, trace: Any) -> None:
    traced = trace("calls", topics=("tcp", "udp", "dns", "connections", "files", "processes", "descriptors"))
    assert_as_told(traced)
    assert asked_by_name(traced.stream) == network.asked_names()


def test_failures_retransmits_and_time_outs_are_told_apart(run: int, network: DnsNetwork, trace: Any) -> None:
    traced = trace("fates")
    assert_as_told(traced)
    stream = traced.stream
    errors = 5 + 7 + 9 + 11
    assert stream.total("dns.lookup").errors == errors + traced.told["timeouts"]
    asked = asked_by_name(stream)
    asked.update({f"lost2.turn{turn}.example": 2 for turn in range(3)} | {"never.example": 1})
    assert asked == network.asked_names()
    rows = names(stream)
    assert (rows["nx.example"].nxdomain, rows["nx.example"].errors) == (3, 0)
    assert rows["servfail.example"].errors == 5
    assert (rows["never.example"].timeouts, rows["never.example"].answers) == (5 + 7, 0)
    assert (rows["late.example"].timeouts, rows["late.example"].answers) == (3, 0)
    assert (rows["lost2.turn0.example"].lookups, rows["lost2.turn0.example"].answers) == (1, 1)
    failed = Counter((event.name, event.result, event.address) for event in stream.events("dns.lookup"))
    assert failed["servfail.example", 2, "127.0.0.1"] == 5
    assert {event.name for event in stream.events("dns.timeout")} == {"never.example", "late.example"}
    assert len(stream.events("dns.timeout")) == traced.told["timeouts"]


def test_latency_is_that_of_the_programs_own_clock(run: int, trace: Any) -> None:
    traced = trace("slow", "53")
    durations = traced.body["durations_ns"]
    row = traced.stream.total("dns.lookup")
    assert row.timed == len(durations) == 53
    (resolver,) = resolvers(traced.stream).values()
    buckets = dict(zip(resolver.buckets[::2], resolver.buckets[1::2], strict=True))
    assert buckets == traced.stream.buckets("dns.lookup")
    assert (resolver.sum_ns, resolver.max_ns) == (row.sum_ns, row.max_ns)
    for fraction in (0.5, 0.9, 0.99):
        found, taken = histogram.percentile(buckets, fraction, row.max_ns), exact_percentile(durations, fraction)
        # An emulated processor may leave the program waiting to run between the answer and its look at the clock.
        assert found == pytest.approx(taken, rel=0.05) or (EMULATED and found < taken), fraction
    assert row.sum_ns < sum(durations)


def test_nothing_is_lost_at_a_rate_that_no_pod_has(run: int, network: DnsNetwork, trace: Any) -> None:
    traced = trace("rate", "20011")
    assert_as_told(traced)
    assert asked_by_name(traced.stream) == network.asked_names() == {"often.example": 20011}


def test_many_names_are_each_known_and_what_finds_no_place_is_counted(
    run: int, network: DnsNetwork, trace: Any
) -> None:
    room = TABLE_SIZES["dns_names"]
    traced = trace("names", str(room + 907))
    assert_as_told(traced)
    (table,) = [row for row in traced.stream.trailer.heartbeat.tables if row.table == "dns_names"]
    assert (table.keys, table.unlisted) == (room, 907)
    asked, known = network.asked_names(), asked_by_name(traced.stream)
    assert len(known) == room
    assert known.items() <= asked.items()


def test_addresses_are_known_by_the_name_that_was_asked_for(network: DnsNetwork, trace: Any) -> None:
    stream = trace("aliases").stream
    rows = {row.address: row.name for record in stream.of(dns_records.AddressNames) for row in record.rows}
    assert rows == {"10.0.0.13": "alias.example", "fd00::e": "alias4.example", "10.0.0.17": "newest-n1.example"}


def test_the_trace_of_something_else_knows_nothing_of_dns(trace: Any) -> None:
    stream = trace("calls", topics=("udp",), whole=False).stream
    stream.assert_whole()
    assert list(stream.of(dns_records.DnsNames)) == []
