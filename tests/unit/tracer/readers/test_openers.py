"""Who opened what suspects have open: the programs are told whom to follow, and what they note is counted once."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.wire.descriptor_records import DescriptorOpenerRow
from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.program import TABLE_SIZES, ScopeMatch
from podtrace_tracer.readers.descriptors import MOST_OF_ONE, DescriptorReader
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.readers.openers import MOST_TOLD, OPENER, OPENER_KEY
from podtrace_tracer.symbols.frames import FrameBook
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms, constants, structs
from tests.unit.tracer.proc_tree import add_process, remove_process

PID, TGID, STARTED = 40, 1_040, 777
SECOND = 1_000_000_000
CODE = 0x40_1000
A, B = 0xA, 0xB
"""Hashes of stacks, whose only function is so far behind the beginning of the code."""


class Bench:
    """A process whose table grows, what the programs note of it, and a clock that each reading moves."""

    def __init__(self, root: Path) -> None:
        self.root, self.proc = root, root / "proc"
        self.cgroup = root / "sys/fs/cgroup/target"
        self.cgroup.mkdir(parents=True)
        self.programs = MemoryPrograms()
        self.now = 5 * SECOND
        self.links: dict[int, str] = {0: "/dev/null"}
        self.blind: set[str] = set()
        self.know()
        self.put()
        for stack in range(1, 200):
            self.programs.put("stacks", stack, self.programs.value("stacks", frames=(CODE + stack + 1,), count=1))
        target = Target(match=ScopeMatch(mode="helper"), directory=self.cgroup)
        host = Host(root=root, release="6.1.0", machine="x86_64", is_root=True)
        self.frames = FrameBook(self.proc)
        context = TraceContext(
            programs=self.programs, host=host, target=target, scopes=Scopes(self.programs, target),
            frames=self.frames, blind=self.blind,
        )  # fmt: skip
        self.reader = DescriptorReader(context, clock=lambda: self.now)

    def know(self) -> None:
        """The programs have the process in their book."""
        value = self.programs.value("processes", tgid=TGID, node_pid=PID, start_ns=STARTED)
        self.programs.put("processes", TGID, value)

    def put(self) -> None:
        (self.cgroup / "cgroup.procs").write_text(f"{PID}\n")
        add_process(self.proc, PID, self.links, table_size=4_096)
        (self.proc / str(PID) / "maps").write_text(f"{CODE:x}-{CODE + 4096:x} r-xp 00001000 08:01 9 /app\n")

    def open(self, *numbers: int, kind: str = "socket") -> None:
        """What the process opens; a socket's inode is its number and 1,000."""
        self.links |= {number: f"{kind}:[{1_000 + number}]" for number in numbers}

    def note(self, *numbers: int, stack: int = A, kind: str = "socket", ago_s: int = 0, **other: int) -> None:
        """What the programs note when it does."""
        image = structs()["image"](start_ns=other.pop("start_ns", STARTED), executions=1, tgid=TGID)
        for number in numbers:
            value = self.programs.value(
                "openers", image=image, stack=stack, at_ns=self.now - ago_s * SECOND, kind=DESCRIPTOR_KINDS.index(kind),
                **{"inode": 1_000 + number, **other},
            )  # fmt: skip
            self.programs.put("openers", self.programs.key("openers", tgid=TGID, descriptor=number), value)

    def read(self) -> list[DescriptorOpenerRow]:
        """The rows at the next reading."""
        self.put()
        self.now += 5 * SECOND
        list(self.reader.tables())
        self.frames.finish(1)
        _, table = self.reader.tables()  # with the names
        return list(table.rows.values())

    def suspect(self) -> None:
        """Two readings with more sockets than ever before."""
        for number in (10, 11):
            self.open(number)
            self.read()

    @property
    def told(self) -> tuple[dict[int, int], int]:
        """Whom the programs are to follow: processes with their kinds as bits, and how many."""
        tables = self.programs.tables

        def number(data: bytes) -> int:
            return int.from_bytes(data, "little")

        followed = {number(key): number(value[0]) for key, value in tables["suspects"].items()}
        return followed, number(tables["suspect_count"][bytes(4)][0])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def counts(rows: list[DescriptorOpenerRow]) -> dict[tuple[str, int], tuple[int, int]]:
    """By kind and key: how many are open, how many of them for longer."""
    return {(row.kind, row.key): (row.open, row.older) for row in rows}


def test_the_records_of_the_programs_are_laid_out_as_they_are_read() -> None:
    assert (ctypes.sizeof(structs()["opener_key"]), ctypes.sizeof(structs()["opener"])) == (
        OPENER_KEY.size,
        OPENER.size,
    )
    assert tuple(constants()[f"KIND_{kind.upper()}"] for kind in DESCRIPTOR_KINDS) == (0, 1, 2, 3)


def test_nobody_is_followed_until_a_kind_has_grown_twice(bench: Bench) -> None:
    bench.open(10)
    assert (bench.read(), bench.told) == ([], ({}, 0))
    bench.open(11)
    assert (bench.read(), bench.told) == ([], ({TGID: 1 << DESCRIPTOR_KINDS.index("socket")}, 1))


def test_a_second_kind_that_grows_is_followed_too(bench: Bench) -> None:
    bench.suspect()
    for number in (20, 21):
        bench.open(number, kind="pipe")
        bench.read()
    assert bench.told == ({TGID: 0b0110}, 1)


def test_what_is_open_counts_under_the_stack_that_opened_it_and_what_was_closed_does_not(bench: Bench) -> None:
    bench.suspect()
    bench.open(12, 13, 14)
    bench.note(12, 13, 15)
    bench.note(14, stack=B)
    rows = bench.read()
    assert sorted(row.open for row in rows) == [1, 2]
    assert [(row.node_pid, row.start_ns, row.kind) for row in rows] == [(PID, 1_000_000_000, "socket")] * 2
    del bench.links[13], bench.links[14]
    assert sorted((row.open, row.older) for row in bench.read()) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    "other",
    [
        {"ago_s": 1},  # before it was suspected
        {"inode": 7},  # another socket than stands there now
        {"kind": "pipe"},
        {"start_ns": 1},  # another process
    ],
)
def test_what_is_noted_of_another_descriptor_does_not_count(bench: Bench, other: dict[str, Any]) -> None:
    bench.suspect()
    bench.open(12)
    bench.note(12, **other)
    assert bench.read() == []


def test_what_was_left_to_a_program_by_the_one_before_it_does_not_count(bench: Bench) -> None:
    bench.suspect()
    bench.open(12)
    bench.note(12)
    value = bench.programs.value(
        "births", at_ns=bench.now + 1, node_pid=PID, kinds=structs()["kinds"].from_buffer_copy(bytes(16))
    )
    bench.programs.put("births", TGID, value)
    bench.read()
    bench.open(13)
    assert [row.open for row in bench.read()] == []


def test_a_stack_that_found_no_place_counts_without_frames(bench: Bench) -> None:
    bench.suspect()
    bench.open(12)
    bench.note(12, stack=0)
    (row,) = bench.read()
    assert (row.open, row.frames) == (1, ())


def test_the_names_of_more_stacks_than_are_told_are_added_up(bench: Bench) -> None:
    bench.suspect()
    bench.open(*range(100, 100 + MOST_TOLD + 5))
    for number in range(100, 100 + MOST_TOLD + 5):
        bench.note(number, stack=number)
    rows = [row for row in bench.read() if row.open]
    assert sorted((len(row.frames), row.open) for row in rows) == [(0, 5), *[(1, 1)] * MOST_TOLD]


def test_a_table_that_is_too_large_to_be_looked_through_is_listed(bench: Bench) -> None:
    for most in (MOST_OF_ONE + 100, MOST_OF_ONE + 300):
        bench.open(*range(1, most))
        bench.read()
    assert bench.told[1] == 1
    bench.note(*range(30, 47), most + 1)
    assert [row.open for row in bench.read()] == [17]


def test_a_process_that_has_ended_makes_room(bench: Bench) -> None:
    bench.suspect()
    bench.open(12)
    bench.note(12)
    bench.read()
    remove_process(bench.proc, PID)
    (bench.cgroup / "cgroup.procs").write_text("")
    bench.now += 5 * SECOND
    _, table = bench.reader.tables()
    assert (table.rows, bench.told, bench.programs.tables["openers"]) == ({}, ({}, 0), {})


def test_nobody_is_followed_where_opens_are_not_looked_at_any_more(bench: Bench) -> None:
    bench.suspect()
    bench.open(12)
    bench.note(12)
    assert [row.open for row in bench.read()] == [1]
    bench.blind.add("descriptors")
    assert ([row.open for row in bench.read()], bench.told) == ([0], ({}, 0))


def test_a_process_that_the_programs_do_not_know_yet_is_followed_later(bench: Bench) -> None:
    bench.programs.tables["processes"].clear()
    bench.suspect()
    assert bench.told == ({}, 0)
    bench.know()
    bench.read()
    assert bench.told == ({TGID: 0b0010}, 1)


def test_suspects_beyond_the_table_are_said_to_be_missing(bench: Bench) -> None:
    pids = range(PID, PID + TABLE_SIZES["suspects"] + 3)
    for sockets in (1, 2, 3):
        (bench.cgroup / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        for pid in pids:
            add_process(bench.proc, pid, dict.fromkeys(range(sockets), "socket:[1]"))
            value = bench.programs.value("processes", tgid=pid, node_pid=pid, start_ns=STARTED)
            bench.programs.put("processes", pid, value)
        bench.now += 5 * SECOND
        list(bench.reader.tables())
    (dropped,) = bench.reader.dropped()
    assert (dropped.topic, dropped.count) == ("descriptors", 3)
    assert bench.told[1] == TABLE_SIZES["suspects"]
