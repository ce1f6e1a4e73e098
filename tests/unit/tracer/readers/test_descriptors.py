from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kubectl_podtrace.wire.descriptor_records import DescriptorTableRow
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.program import ScopeMatch
from podtrace_tracer.readers.descriptors import MAX_ENDED, MAX_TABLES, DescriptorReader
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms
from tests.unit.tracer.proc_tree import add_process, remove_process


class Bench:
    """A target in a cgroup, its processes in a /proc of their own, and a clock that a test sets."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.proc = root / "proc"
        self.cgroup = root / "sys/fs/cgroup/target"
        self.cgroup.mkdir(parents=True)
        self.now = 1_000
        self.programs = MemoryPrograms()
        self.pids: set[int] = set()
        self._write()

    def _write(self) -> None:
        (self.cgroup / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in sorted(self.pids)))

    def add(self, pid: int, *, sockets: int, files: int = 0, ticks: int = 100) -> None:
        links = {number: "socket:[1]" if number < sockets else "/dev/null" for number in range(sockets + files)}
        add_process(self.proc, pid, links, ticks=ticks)
        self.pids.add(pid)
        self._write()

    def remove(self, pid: int) -> None:
        remove_process(self.proc, pid)
        self.pids.discard(pid)
        self._write()

    def bear(self, pid: int, *, at: int, sockets: int) -> None:
        """What the programs put down when a process is made or executes."""
        kinds = struct.pack("=4I", 0, sockets, 0, 0)
        value = self.programs.value("births", at_ns=at, node_pid=pid, kinds=type_of_kinds(kinds))
        self.programs.put("births", pid, value)

    def reader(self) -> DescriptorReader:
        target = Target(match=ScopeMatch(mode="helper"), directory=self.cgroup)
        host = Host(root=self.root, release="6.1.0", machine="x86_64", is_root=True)
        scopes = Scopes(self.programs, target)
        context = TraceContext(programs=self.programs, host=host, target=target, scopes=scopes)
        return DescriptorReader(context, clock=lambda: self.now)


def type_of_kinds(data: bytes) -> object:
    from tests.unit.tracer.memory_programs import structs

    return structs()["kinds"].from_buffer_copy(data)


def rows(reader: DescriptorReader) -> dict[int, DescriptorTableRow]:
    table, _ = reader.tables()
    return {row.node_pid: row for row in table.rows.values()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_growth_begins_at_the_start_of_the_trace_for_processes_that_are_there(bench: Bench) -> None:
    bench.add(40, sockets=3, files=2)
    bench.bear(40, at=900, sockets=1)
    reader = bench.reader()
    bench.add(40, sockets=10, files=1)
    bench.now = 2_000
    row = rows(reader)[40]
    assert (row.first_socket, row.socket, row.first_file, row.file) == (3, 10, 2, 1)
    assert (row.pid, row.since_ns, row.limit, row.alive, row.sampled) == (7, 1_000, 1_024, True, 0)


def test_growth_begins_at_the_birth_of_a_later_process_as_the_programs_saw_it(bench: Bench) -> None:
    reader = bench.reader()
    bench.add(41, sockets=9)
    bench.add(42, sockets=9)
    bench.bear(41, at=1_500, sockets=2)
    bench.now = 2_000
    found = rows(reader)
    assert (found[41].first_socket, found[41].since_ns) == (2, 1_500)
    assert (found[42].first_socket, found[42].since_ns) == (9, 2_000)


def test_growth_begins_anew_when_a_process_executes_another_program(bench: Bench) -> None:
    bench.add(40, sockets=3)
    reader = bench.reader()
    bench.bear(40, at=1_500, sockets=1)
    bench.add(40, sockets=5)
    row = rows(reader)[40]
    assert (row.first_socket, row.socket, row.since_ns) == (1, 5, 1_500)


def test_a_process_that_ended_keeps_what_was_read_last(bench: Bench) -> None:
    bench.add(40, sockets=3)
    reader = bench.reader()
    bench.remove(40)
    assert (rows(reader)[40].alive, rows(reader)[40].socket) == (False, 3)


def test_a_pid_that_is_used_again_is_another_process(bench: Bench) -> None:
    bench.add(40, sockets=3, ticks=100)
    reader = bench.reader()
    bench.add(40, sockets=4, ticks=900)
    table, _ = reader.tables()
    assert [(row.socket, row.alive) for row in table.rows.values()] == [(3, False), (4, True)]


def test_ended_processes_do_not_fill_the_memory(bench: Bench) -> None:
    reader = bench.reader()
    for ticks in range(MAX_ENDED + 7):
        bench.add(40, sockets=1, ticks=ticks)
        rows(reader)
    table, _ = reader.tables()
    assert len(table.rows) == MAX_ENDED + 1
    (dropped,) = reader.dropped()
    assert (dropped.source, dropped.count) == (f"descriptor tables of ended processes beyond {MAX_ENDED}", 6)


def test_what_is_open_after_the_last_look_is_not_of_the_trace(bench: Bench) -> None:
    bench.add(40, sockets=3)
    reader = bench.reader()
    bench.add(40, sockets=4)
    reader.last_look()
    bench.add(40, sockets=9)
    assert rows(reader)[40].socket == 4


def test_processes_beyond_a_reading_s_bound_are_said_to_be_missing(bench: Bench) -> None:
    for pid in range(100, 100 + MAX_TABLES + 5):
        bench.pids.add(pid)
    bench.add(99, sockets=1)
    reader = bench.reader()
    (dropped,) = reader.dropped()
    assert (dropped.topic, dropped.count) == ("descriptors", 6)
    assert list(rows(reader)) == [99]


def test_a_target_of_processes_has_the_members_that_the_programs_know(bench: Bench) -> None:
    bench.add(40, sockets=3)
    bench.add(41, sockets=3)
    programs = MemoryPrograms()
    programs.tables["members"] = {
        (40).to_bytes(4, "little"): [(1).to_bytes(4, "little")],
        (41).to_bytes(4, "little"): [(2).to_bytes(4, "little")],
    }
    target = Target(match=ScopeMatch(mode="processes"), directory=None, pids=(40,))
    host = Host(root=bench.root, release="6.1.0", machine="x86_64", is_root=True)
    context = TraceContext(programs=programs, host=host, target=target, scopes=Scopes(programs, target))
    assert list(rows(DescriptorReader(context))) == [40]


def test_tables_are_ranked_by_size_by_growth_and_by_how_full_they_are(bench: Bench) -> None:
    bench.add(40, sockets=4)
    reader = bench.reader()
    bench.add(40, sockets=6)
    table, _ = reader.tables()
    (row,) = table.rows.values()
    assert [rank(row) for rank in table.ranks] == [6, 2, 6 * 1_000 // 1_024]
    assert (list(reader.totals()), reader.dropped()) == ([], ())
