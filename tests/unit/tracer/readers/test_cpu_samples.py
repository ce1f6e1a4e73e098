"""Samples become functions and stacks of functions; the tables are emptied in turns, and all that was read adds up."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kubectl_podtrace.wire.stack_records import CpuFunctions, CpuStacks
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.program import ScopeMatch
from podtrace_tracer.readers.cpu_samples import MAX_STACKS, CpuSampleReader
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.symbols.frames import FrameBook
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms

APP, LIBRARY = 0x40_0000, 0x7F_0000
PID = 10
IMAGE = (5, 1, PID)


class Bench:
    """A reader, and a process of two files that name no functions."""

    def __init__(self, proc: Path, *, max_stacks: int = MAX_STACKS) -> None:
        self.programs = MemoryPrograms(("cpu",))
        self.frames = FrameBook(proc)
        (proc / str(PID)).mkdir(parents=True)
        maps = (f"{start:x}-{start + 0xFFFF:x} r-xp 0 08:01 {start} {path}\n" for start, path in FILES)
        (proc / str(PID) / "maps").write_text("".join(maps))
        self.frames.see(IMAGE, PID, 7)
        target = Target(match=ScopeMatch(mode="processes"), directory=None, pids=(1,))
        host = Host(root=proc.parent, release="6.1.0", machine="x86_64", is_root=True)
        self.reader = CpuSampleReader(
            TraceContext(
                programs=self.programs, host=host, target=target, scopes=Scopes(self.programs, target),
                frames=self.frames,
            ),
            max_stacks=max_stacks,
        )  # fmt: skip

    def sample(self, side: int, address: int, stack: int, count: int) -> None:
        key = struct.pack("=QQIIQQ", *IMAGE, 0, address, stack)
        self.programs.put(f"cpu_samples_{side}", key, count)

    def stack(self, side: int, number: int, *addresses: int, caller: int = 0) -> None:
        value = self.programs.value(f"sample_stacks_{side}", caller=caller, count=len(addresses))
        frames = b"".join(address.to_bytes(8, "little") for address in (*addresses, *[0] * (64 - len(addresses))))
        self.programs.put(f"sample_stacks_{side}", number, frames + value[512:])

    def stacks(self) -> dict[tuple[str, ...], int]:
        _, stacks = self.reader.tables()
        assert stacks.record is CpuStacks
        return {
            tuple(self.frames.rows[number].module for number in row.frames): row.samples for row in stacks.rows.values()
        }

    def functions(self) -> dict[str, int]:
        functions, _ = self.reader.tables()
        assert functions.record is CpuFunctions
        return {self.frames.rows[row.frame].module: row.samples for row in functions.rows.values()}


FILES = ((APP, "/app"), (LIBRARY, "/library"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "proc")


def test_places_of_a_function_share_their_callers(bench: Bench) -> None:
    bench.stack(1, 77, 0, APP + 8, APP + 9)
    bench.sample(1, LIBRARY + 1, 77, 3)
    bench.sample(1, LIBRARY + 2, 77, 4)
    bench.reader.second()
    assert bench.functions() == {"/library": 7}
    assert bench.stacks() == {("/library", "/app"): 7}
    assert bench.programs.count("cpu_samples_1") == bench.programs.count("sample_stacks_1") == 0


def test_a_sample_in_the_kernel_has_the_stack_of_its_system_call_behind_it(bench: Bench) -> None:
    bench.stack(1, 77, LIBRARY + 8, APP + 9)
    bench.sample(1, 0, 77, 3)
    bench.reader.second()
    assert bench.functions() == {"[kernel]": 3}
    assert bench.stacks() == {("[kernel]", "/library", "/app"): 3}


def test_a_caller_that_has_no_frame_yet_stands_between(bench: Bench) -> None:
    bench.stack(1, 77, 0, APP + 9, caller=LIBRARY + 8)
    bench.sample(1, APP + 1, 77, 2)
    bench.reader.second()
    assert bench.stacks() == {("/app", "/library", "/app"): 2}


def test_a_sample_without_a_stack_counts_for_its_function_alone(bench: Bench) -> None:
    bench.stack(1, 77, 0)
    bench.sample(1, APP + 1, 0, 5)
    bench.sample(1, APP + 1, 77, 2)
    bench.reader.second()
    assert bench.functions() == {"/app": 7}
    assert bench.stacks() == {("/app",): 2}


def test_the_sides_are_read_in_turns_and_both_at_the_end(bench: Bench) -> None:
    bench.stack(0, 77, 0, LIBRARY + 8)
    bench.stack(1, 77, 0, LIBRARY + 8)
    bench.sample(0, APP + 1, 77, 3)
    bench.sample(1, APP + 1, 77, 4)
    bench.reader.second()
    assert bench.stacks() == {("/app", "/library"): 4}
    bench.reader.second()
    assert bench.stacks() == {("/app", "/library"): 7}
    bench.stack(0, 78, 0)
    bench.stack(1, 79, 0)
    bench.sample(0, APP + 1, 78, 10)
    bench.sample(1, APP + 1, 79, 20)
    bench.reader.settle(0)
    assert bench.stacks() == {("/app", "/library"): 7, ("/app",): 30}


def test_samples_of_more_stacks_than_are_kept_count_for_their_functions_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "proc", max_stacks=1)
    bench.stack(1, 77, 0, LIBRARY + 8)
    bench.stack(0, 77, 0, LIBRARY + 8)
    bench.stack(0, 78, 0)
    bench.sample(1, APP + 1, 77, 3)
    bench.sample(0, APP + 1, 77, 4)
    bench.sample(0, APP + 1, 78, 5)
    bench.reader.second()
    bench.reader.second()
    assert bench.functions() == {"/app": 12}
    assert bench.stacks() == {("/app", "/library"): 7}
