"""Lookups without an answer, names and addresses, from the maps as the programs would leave them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.wire.dns_records import AddressNames, DnsNames, Resolvers
from kubectl_podtrace.wire.records import Event
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.programs.program import ScopeMatch
from podtrace_tracer.readers.dns import KEPT_NS, RECORD_DNS_ANSWER, RECORD_DNS_NAME, SETTLED_NS, DnsReader
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms

SECOND = 1_000_000_000
NOW = 1_000 * SECOND
PID, SOCKET, HASH = 40, 777, 0xABCDEF
NAME = b"\2db\4shop\0"
ADDRESS = struct.pack("=HH16s", 2, 53, bytes([10, 96, 0, 10]))


class Node:
    """A node with one process, the programs' maps, and a clock."""

    def __init__(self, root: Path, make: type[MemoryPrograms] = MemoryPrograms) -> None:
        self.root = root
        self.now = NOW
        self.programs = make(("dns",))
        self.events: list[Event] = []
        target = Target(match=ScopeMatch(mode="processes"), directory=None, pids=(PID, PID + 1))
        programs: Programs = self.programs
        self.context = TraceContext(
            programs=programs, host=Host(root=root, release="6.1.0", machine="x86_64", is_root=True),
            target=target, scopes=Scopes(programs, target), emit_event=self.events.append,
        )  # fmt: skip
        self.reader = DnsReader(self.context, clock=lambda: self.now)

    def open_socket(self, pid: int = PID, socket: int = SOCKET) -> Path:
        directory = self.root / f"proc/{pid}/fd"
        directory.mkdir(parents=True, exist_ok=True)
        link = directory / str(socket)
        link.symlink_to(f"socket:[{socket}]")
        return link

    def ask(self, age_ns: int, number: int = 1, pid: int = PID) -> bytes:
        """A query that was sent so long ago."""
        key = self.programs.key("dns_queries", socket=SOCKET, name_hash=HASH, id=number, type=1)
        value = self.programs.value(
            "dns_queries", first_ns=self.now - age_ns, last_ns=self.now - age_ns, node_pid=pid, pid=1, comm=b"app"
        )
        # The address is a struct in the struct: its bytes stand behind the numbers.
        place = value.index(b"app") - len(ADDRESS)
        self.programs.put("dns_queries", key, value[:place] + ADDRESS + value[place + len(ADDRESS) :])
        return key

    def record(self, kind: int, data: bytes) -> None:
        self.context.takers[kind](struct.pack("=IIQQQ", kind, 0, HASH, len(data), 0) + data)

    def timeouts(self) -> int:
        return sum(row.count for row in self.reader.totals() if row.operation == "dns.timeout")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def rows(node: Node, record: type[Any]) -> list[Any]:
    return [row for table in node.reader.tables() if table.record is record for row in table.rows.values()]


def test_a_lookup_times_out_once_and_is_forgotten_long_after(node: Node) -> None:
    node.open_socket()
    key = node.ask(age_ns=5 * SECOND)
    node.reader.second()
    assert node.timeouts() == 0
    node.now += SETTLED_NS + 1
    for _ in range(3):
        node.reader.second()
        assert node.timeouts() == 1
    assert key in node.programs.tables["dns_queries"]
    node.now += KEPT_NS
    node.reader.second()
    assert key not in node.programs.tables["dns_queries"]
    assert node.timeouts() == 1
    assert [(event.operation, event.address, event.port, event.comm) for event in node.events] == [
        ("dns.timeout", "10.96.0.10", 53, "app")
    ]


def test_a_lookup_whose_socket_is_closed_times_out_at_once(node: Node) -> None:
    link = node.open_socket()
    key = node.ask(age_ns=SECOND)
    node.reader.second()
    assert node.timeouts() == 0
    link.unlink()
    node.reader.second()
    assert node.timeouts() == 1
    assert key not in node.programs.tables["dns_queries"]


def test_a_lookup_whose_process_has_ended_times_out_at_once(node: Node) -> None:
    node.ask(age_ns=SECOND)
    node.reader.second()
    assert node.timeouts() == 1


def test_a_socket_that_another_process_of_the_target_holds_is_open(node: Node) -> None:
    node.open_socket(pid=PID + 1)
    node.ask(age_ns=SECOND)
    node.reader.second()
    assert node.timeouts() == 0


def test_a_socket_closed_after_the_trace_is_no_time_out(node: Node) -> None:
    node.ask(age_ns=SECOND)
    node.reader.settle(node.now)
    assert node.timeouts() == 0


def test_a_lookup_is_past_its_time_at_the_trace_s_end_or_not_at_all(node: Node) -> None:
    node.open_socket()
    node.ask(age_ns=5 * SECOND + 1)
    node.reader.last_look()
    assert node.timeouts() == 0  # a program may be at its answer
    node.reader.settle(node.now - 1)
    assert node.timeouts() == 0
    node.reader.settle(node.now)
    node.reader.settle(node.now + SECOND)
    assert node.timeouts() == 1


def test_lookups_whose_answers_nobody_looks_at_any_more_do_not_time_out(node: Node) -> None:
    node.ask(age_ns=6 * SECOND)
    node.reader.second()
    node.ask(age_ns=SECOND, number=2)
    node.context.blind.add("dns")
    node.reader.second()
    node.ask(age_ns=6 * SECOND, number=3)
    node.now += 60 * SECOND
    node.reader.second()
    assert node.timeouts() == 1
    assert node.programs.tables["dns_queries"] == {}


class AnsweredMeanwhile(MemoryPrograms):
    """Programs that take a query out of the table just before the tracer does."""

    def delete(self, table: str, key: bytes) -> bool:
        super().delete(table, key)
        return False


def test_a_lookup_that_was_answered_meanwhile_is_not_counted(tmp_path: Path) -> None:
    node = Node(tmp_path, AnsweredMeanwhile)
    node.ask(age_ns=SECOND)
    node.reader.second()
    assert node.timeouts() == 0


def test_time_outs_are_in_the_rows_of_their_name_and_server_and_in_the_errors(node: Node) -> None:
    node.record(RECORD_DNS_NAME, NAME)
    counters = [node.programs.value("dns_names", lookups=3, answers=1), node.programs.value("dns_names", lookups=2)]
    node.programs.put("dns_names", struct.pack("=QQ", HASH, 0), *counters)
    counters = [node.programs.value("resolvers", lookups=5), node.programs.value("resolvers", max_ns=7)]
    node.programs.put("resolvers", struct.pack("=I", 0) + ADDRESS, *counters)
    for number in range(3):
        node.ask(age_ns=6 * SECOND, number=number)
    node.reader.second()
    (name,) = rows(node, DnsNames)
    assert (name.name, name.lookups, name.answers, name.timeouts) == ("db.shop", 5, 1, 3)
    (resolver,) = rows(node, Resolvers)
    assert (resolver.address, resolver.port, resolver.timeouts, resolver.max_ns) == ("10.96.0.10", 53, 3, 7)
    assert [row.errors for row in node.reader.totals() if row.operation == "dns.lookup"] == [3]


def test_the_newest_answer_names_an_address(node: Node) -> None:
    answer = struct.pack("!HHHHHH", 1, 0x8180, 0, 1, 0, 0) + b"\0" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\x0a\0\0\7"
    node.record(RECORD_DNS_ANSWER, answer)
    assert rows(node, AddressNames) == []
    for name in (NAME, b"\5newer\0"):
        node.record(RECORD_DNS_NAME, name)
        node.record(RECORD_DNS_ANSWER, answer)
    (row,) = rows(node, AddressNames)
    assert (row.address, row.name) == ("10.0.0.7", "newer")
