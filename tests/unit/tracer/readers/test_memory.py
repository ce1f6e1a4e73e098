"""The reader of the topic memory: no page fault is lost or counted twice when a process ends."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from kubectl_podtrace.wire.memory_records import CgroupMemory, CgroupMemoryRow, MemoryProcesses, MemoryProcessRow
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.program import ScopeMatch
from podtrace_tracer.readers.memory import MANY, SETTLED_NS, MemoryReader
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms

TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Node:
    """A machine with one cgroup, whose clock stands unless it is set."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.cgroup = root / "sys/fs/cgroup/job"
        self.cgroup.mkdir(parents=True)
        for name in ("cgroup.procs", "cgroup.controllers"):
            (root / "sys/fs/cgroup" / name).touch()
        self.memory(current=1_000, peak=5_000, kills=1)
        self.programs = MemoryPrograms(("memory",))
        self.started = time.monotonic_ns()
        self.now = self.started
        self.offset = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        self.pids: dict[int, int] = {}
        target = Target(match=ScopeMatch(mode="helper", root_id=self.cgroup.stat().st_ino), directory=self.cgroup)
        host = Host(root=root, release="6.1.0", machine="x86_64", is_root=True)
        scopes = Scopes(self.programs, target)
        self.context = TraceContext(programs=self.programs, host=host, target=target, scopes=scopes)

    def reader(self, *, max_ended: int = 100) -> MemoryReader:
        return MemoryReader(self.context, max_ended=max_ended, clock=lambda: self.now)

    def memory(self, *, current: int, peak: int, kills: int) -> None:
        for name, text in (
            ("current", current), ("peak", peak), ("max", 9_000), ("stat", "inactive_file 100"),
            ("events", f"oom_kill {kills}"),
        ):  # fmt: skip
            (self.cgroup / f"memory.{name}").write_text(f"{text}\n")

    def process(self, pid: int, *, minor: int, major: int = 0, began_s: int, pages: int = 2, threads: int = 1) -> None:
        """Writes what /proc says of it: so many faults, of which each of its threads has 10."""
        self.pids[pid] = began_s
        ticks = (self.started + began_s * 1_000_000_000 + self.offset) // TICK
        for path, faults in ((".", minor), *((f"task/{pid + number}", 10) for number in range(threads))):
            directory = self.proc / str(pid) / path
            directory.mkdir(parents=True, exist_ok=True)
            fields = [
                "S",
                *["1", "1", "1", "0", "-1", "0"],
                faults,
                0,
                major if path == "." else 0,
                0,
                *[0] * 8,
                ticks,
                0,
                pages,
            ]
            (directory / "stat").write_text(f"{pid} (web) {' '.join(map(str, fields))} 0\n")
        (self.cgroup / "cgroup.procs").write_text("".join(f"{each}\n" for each in self.pids))

    def end(self, pid: int, *, minor: int, major: int = 0, began_s: int | None = None, is_over: bool = True) -> None:
        """Tells what the programs counted of its threads that ended; and that the last one was among them."""
        began_s = self.pids.get(pid, 0) if began_s is None else began_s
        key = self.programs.key("faults", start_ns=self.started + began_s * 1_000_000_000, tgid=pid)
        value = self.programs.value(
            "faults", minor=minor, major=major, ended_ns=self.now if is_over else 0, pid=pid, node_pid=pid, comm=b"end"
        )
        self.programs.put("faults", key, value)
        if is_over and pid in self.pids:
            del self.pids[pid]
            shutil.rmtree(self.proc / str(pid))
            (self.cgroup / "cgroup.procs").write_text("".join(f"{each}\n" for each in self.pids))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def rows(reader: MemoryReader) -> dict[int, MemoryProcessRow]:
    (found,) = [table for table in reader.tables() if table.record is MemoryProcesses]
    return {row.node_pid: row for row in found.rows.values()}


def totals(reader: MemoryReader) -> dict[str, int]:
    return {row.operation: row.count for row in reader.totals()}


def test_faults_from_before_the_trace_do_not_count(node: Node) -> None:
    node.process(7, minor=100, major=3, began_s=-60)
    reader = node.reader()
    node.process(7, minor=113, major=5, began_s=-60, pages=9)
    reader.second()
    row = rows(reader)[7]
    assert (row.minor_faults, row.major_faults, row.alive, row.comm) == (13, 2, True, "web")
    assert row.resident_bytes == row.resident_peak_bytes == 9 * os.sysconf("SC_PAGE_SIZE")
    assert totals(reader) == {"memory.minor_fault": 13, "memory.major_fault": 2}


def test_a_process_that_began_in_the_trace_counts_from_its_start(node: Node) -> None:
    reader = node.reader()
    reader.second()
    node.process(7, minor=17, began_s=1)
    reader.last_look()
    assert rows(reader)[7].minor_faults == 17


def test_an_ended_process_has_what_its_threads_had_less_what_was_before(node: Node) -> None:
    # 100 at the start: 20 of two living threads, 80 of ended ones.
    node.process(7, minor=100, began_s=-60, threads=2)
    reader = node.reader()
    node.process(7, minor=105, began_s=-60, threads=2)
    reader.second()
    node.now += SETTLED_NS
    node.end(7, minor=20 + 31)
    reader.second()
    assert rows(reader)[7].minor_faults == 5
    assert not rows(reader)[7].alive
    node.now += SETTLED_NS + 1
    for _ in range(2):
        reader.second()
        row = rows(reader)[7]
        assert (row.minor_faults, row.resident_bytes, row.alive, row.comm) == (31, 0, False, "end")
        assert totals(reader) == {"memory.minor_fault": 31}
    assert node.programs.count("faults") == 0


def test_what_threads_had_that_ended_stays_until_their_process_ends(node: Node) -> None:
    reader = node.reader()
    node.process(7, minor=40, began_s=1)
    node.end(7, minor=30, is_over=False)
    node.now += 2 * SETTLED_NS
    reader.second()
    assert node.programs.count("faults") == 1
    assert totals(reader) == {"memory.minor_fault": 40}


def test_a_process_that_lived_between_two_looks_is_known_by_what_the_programs_counted(node: Node) -> None:
    reader = node.reader()
    node.end(9, minor=53, major=1, began_s=1)
    reader.last_look()
    reader.settle(node.now)
    row = rows(reader)[9]
    assert (row.pid, row.comm, row.minor_faults, row.major_faults, row.resident_peak_bytes) == (9, "end", 53, 1, 0)


def test_a_pid_that_is_used_again_is_another_process(node: Node) -> None:
    reader = node.reader()
    node.process(7, minor=40, began_s=1)
    reader.second()
    node.end(7, minor=41)
    reader.second()
    node.process(7, minor=5, began_s=4)
    node.now += SETTLED_NS + 1
    reader.second()
    assert totals(reader) == {"memory.minor_fault": 46}


def test_a_process_that_waits_for_its_parent_is_not_counted_again(node: Node) -> None:
    reader = node.reader()
    node.process(7, minor=40, began_s=1)
    reader.second()
    key = node.programs.key("faults", start_ns=node.started + 1_000_000_000, tgid=7)
    value = node.programs.value("faults", minor=41, ended_ns=node.now, pid=7, node_pid=7, comm=b"end")
    node.programs.put("faults", key, value)
    node.now += SETTLED_NS
    for _ in range(3):
        reader.second()
        assert totals(reader) == {"memory.minor_fault": 41}


def test_many_processes_are_read_every_five_seconds_and_at_the_end(node: Node) -> None:
    for pid in range(1_000, 1_000 + MANY + 1):
        node.process(pid, minor=10, began_s=-60)
    reader = node.reader()
    node.process(1_000, minor=15, began_s=-60)
    found = []
    for _ in range(5):
        reader.second()
        found.append(totals(reader).get("memory.minor_fault", 0))
    assert found == [0, 0, 0, 0, 5]
    node.process(1_000, minor=18, began_s=-60)
    reader.last_look()
    assert totals(reader) == {"memory.minor_fault": 8}


def test_ended_processes_beyond_the_bound_are_let_go_and_stay_in_the_totals(node: Node) -> None:
    reader = node.reader(max_ended=10)
    for pid in range(1, 14):
        node.end(pid, minor=pid, began_s=pid)
    reader.settle(node.now)
    assert len(rows(reader)) < 13
    assert totals(reader) == {"memory.minor_fault": sum(range(1, 14))}
    assert [(row.topic, row.count) for row in reader.dropped()] == [("memory", 4)]


def cgroup_row(reader: MemoryReader) -> CgroupMemoryRow:
    (found,) = [table for table in reader.tables() if table.record is CgroupMemory]
    (row,) = found.rows.values()
    assert isinstance(row, CgroupMemoryRow)
    return row


def test_a_cgroup_s_peak_is_its_record_where_that_rose_and_what_was_read_where_it_did_not(node: Node) -> None:
    reader = node.reader()
    node.memory(current=3_000, peak=5_000, kills=1)
    reader.second()
    node.memory(current=2_000, peak=5_000, kills=3)
    reader.second()
    row = cgroup_row(reader)
    assert (row.peak_bytes, row.peak_is_exact, row.current_bytes, row.oom_kills) == (3_000, False, 2_000, 2)
    assert (row.working_set_bytes, row.working_set_peak_bytes, row.limit_bytes) == (1_900, 2_900, 9_000)
    node.memory(current=2_000, peak=6_000, kills=3)
    reader.last_look()
    assert (cgroup_row(reader).peak_bytes, cgroup_row(reader).peak_is_exact) == (6_000, True)
    shutil.rmtree(node.cgroup)
    reader.second()
    assert cgroup_row(reader).peak_bytes == 6_000
