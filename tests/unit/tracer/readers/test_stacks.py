"""Stacks by process, as the programs count them, become rows over all processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_podtrace.wire.stack_records import OffCpuStackRow, OffCpuStacks, StackRow, Stacks
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.program import ScopeMatch, operation_index
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.readers.stacks import StackReader
from podtrace_tracer.symbols.frames import FrameBook
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms

STACK, ADDRESS = 77, 0x40_1000
SLOW_NS = 20_000_000
FSYNC = operation_index("files.fsync")


class Bench:
    """A reader, and processes that are in a /proc of their own until they end."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.programs = MemoryPrograms()
        self.frames = FrameBook(proc)
        target = Target(match=ScopeMatch(mode="processes"), directory=None, pids=(1,))
        host = Host(root=proc.parent, release="6.1.0", machine="x86_64", is_root=True)
        self.reader = StackReader(
            TraceContext(
                programs=self.programs, host=host, target=target, scopes=Scopes(self.programs, target),
                frames=self.frames,
            )
        )  # fmt: skip
        frames = [ADDRESS + 1, *[0] * 63]
        stack = self.programs.value("stacks", count=1)
        self.programs.put("stacks", STACK, b"".join(each.to_bytes(8, "little") for each in frames) + stack[512:])

    def process(self, pid: int) -> None:
        directory = self.proc / str(pid)
        directory.mkdir()
        (directory / "maps").write_text(f"{ADDRESS:x}-{ADDRESS + 4096:x} r-xp 00001000 08:01 {pid} /app\n")
        self.frames.see((5, 1, pid), pid, 7)

    def end(self, pid: int) -> None:
        (self.proc / str(pid) / "maps").unlink()
        (self.proc / str(pid)).rmdir()

    def count(self, pid: int, *counts: int, stack: int = STACK, operation: int = FSYNC) -> None:
        """So many fsyncs (or others) of 20 ms on each of two processors."""
        image = (5).to_bytes(8, "little") + (1).to_bytes(8, "little") + pid.to_bytes(4, "little") + bytes(4)
        key = image + self.programs.key("stack_counts", stack=stack, operation=operation)[24:]
        values = [
            self.programs.value(
                "stack_counts", count=count, total_ns=count * 20_000_000, max_ns=20_000_000 * (count > 0)
            )
            for count in counts
        ]
        self.programs.put("stack_counts", key, *values)
        self.programs.put("stack_durations", key, sum(counts).to_bytes(4, "little") + bytes(575 * 4))

    def rows(self) -> list[StackRow]:
        self.reader.second()
        slow, _ = self.reader.tables()
        assert slow.record is Stacks
        return list(slow.rows.values())

    def waits(self) -> list[OffCpuStackRow]:
        self.reader.second()
        _, waits = self.reader.tables()
        assert waits.record is OffCpuStacks
        return list(waits.rows.values())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    proc = tmp_path / "proc"
    proc.mkdir()
    return Bench(proc)


def test_the_same_way_of_several_processes_on_several_processors_is_one(bench: Bench) -> None:
    for pid in (10, 11):
        bench.process(pid)
        bench.count(pid, 2, 3)
    (row,) = bench.rows()
    assert (row.operation, row.count, row.total_ns, row.max_ns) == ("files.fsync", 10, 200_000_000, 20_000_000)
    assert row.buckets == (0, 10)
    (number,) = row.frames
    frame = bench.frames.rows[number]
    assert (frame.module, frame.symbol, frame.offset) == ("/app", "", 0x1000)
    bench.count(11, 2, 4)
    assert [each.count for each in bench.rows()] == [11]


def test_waits_off_the_cpu_stand_apart_from_slow_operations_of_the_same_stack(bench: Bench) -> None:
    bench.process(10)
    bench.count(10, 1, 0)
    bench.count(10, 2, 5, operation=operation_index("cpu.lock"))
    (wait,), (slow,) = bench.waits(), bench.rows()
    assert (wait.operation, wait.count, wait.total_ns, wait.buckets) == ("cpu.lock", 7, 140_000_000, (0, 7))
    assert (slow.operation, slow.count) == ("files.fsync", 1)
    assert wait.frames == slow.frames
    assert wait.key != slow.key


def test_an_operation_without_a_stack_is_a_row_without_frames(bench: Bench) -> None:
    bench.count(10, 1, 0, stack=0)
    assert [(row.count, row.frames) for row in bench.rows()] == [(1, ())]


def test_processes_that_have_gone_make_room_and_their_numbers_stay(bench: Bench) -> None:
    capacity = bench.programs.capacity("stack_counts")
    pids = range(100, 100 + capacity // 2 + 10)
    for pid in pids:
        bench.process(pid)
        bench.count(pid, 1, 0)
    bench.reader.second()
    for pid in pids[5:]:
        bench.end(pid)
    bench.count(pids[20], 1, 1)  # what came last, before its end
    bench.reader.second()
    assert bench.programs.count("stack_counts") == bench.programs.count("stack_durations") == 5
    assert [row.count for row in bench.rows()] == [len(pids) + 1]
    bench.count(pids[0], 2, 0)
    assert [row.count for row in bench.rows()] == [len(pids) + 2]
