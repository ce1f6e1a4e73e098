"""What opens descriptors of which a process has more and more: exact for all that came to be since that was seen."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kubectl_podtrace.analysis.descriptors import Leak
from kubectl_podtrace.wire.descriptor_records import DescriptorOpenerRow, DescriptorOpeners, DescriptorTables
from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.stack_records import Frames
from tests.bpf.conftest import HERE, MakeCgroup, StartLoad, StartTracer, Workloads
from tests.bpf.harness import Load, Tracer, ask
from tests.bpf.second_sources import kind_by_link, table_kinds
from tests.bpf.stream import Stream
from tests.bpf.test_descriptors import report_of
from tests.bpf.test_namespaces import NEST, child_of, pids

SUSPECTED_AFTER = 2
"""Readings of more and more descriptors."""
LINES = 5
FOLLOWED = LINES - SUSPECTED_AFTER
KEEPERS = ("keeps", "copies", "pairs", "accepts", "receives", "watches", "pipes", "logs")

WITHOUT_OWN_STACK = ("keeps", "copies", "pairs", "watches", "pipes")
"""Those that call functions of the C library which leave stack and frame pointer as they are: all callers are known."""

Openers = dict[tuple[str, str], int]
"""How many are open of each kind that this function opened."""


@dataclass(kw_only=True)
class Book:
    """Who opened what stands under each number now, and in which turn, as the load says."""

    turn: int = 0
    openers: dict[int, tuple[str, int]] = field(default_factory=dict)

    def take(self, load: Load) -> None:
        """Lets the load do one turn."""
        self.turn += 1
        load.release()
        assert load.process.stdout is not None
        for line in iter(load.process.stdout.readline, b"done\n"):
            who, number = line.split()
            self.openers[int(number)] = (who.decode(), self.turn)

    def open_since(self, pid: int, turn: int) -> Openers:
        """By what the process has open, what of that was opened in this turn or later."""
        found: Counter[tuple[str, str]] = Counter()
        for path in Path(f"/proc/{pid}/fd").iterdir():
            who, when = self.openers.get(int(path.name), ("", 0))
            if when >= turn:
                found[kind_by_link(str(path.readlink())), who] += 1
        return dict(found)


def rows_of(stream: Stream, pid: int) -> list[DescriptorOpenerRow]:
    """The last rows of a process."""
    rows = {row.key: row for record in stream.of(DescriptorOpeners) for row in record.rows}
    return [row for row in rows.values() if row.node_pid == pid]


def traced(stream: Stream, pid: int) -> Openers:
    """The same as the book has, from the stream: by the innermost function that is one of the load's."""
    frames = {row.key: row.symbol for record in stream.of(Frames) for row in record.rows}
    found: Counter[tuple[str, str]] = Counter()
    for row in rows_of(stream, pid):
        symbols = [frames[number] for number in row.frames]
        who = next((symbol for symbol in symbols if symbol in {*KEEPERS, "borrows", "reads"}), "")
        found[row.kind, who] += row.open
        if who in WITHOUT_OWN_STACK:
            assert symbols[symbols.index(who) + 1] == "work"
    return {what: count for what, count in found.items() if count}


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A load's process, which its tracer may know by another pid."""

    tracer: Tracer
    load: Load
    pid: int
    seen_pid: int
    book: Book = field(default_factory=Book)

    def leak(self) -> None:
        """Lets the load grow in several readings of the tracer."""
        for _ in range(LINES):
            self.book.take(self.load)
            sockets = table_kinds(self.pid)["socket"]
            self.tracer.wait_for(
                lambda record, sockets=sockets: (  # type: ignore[misc]
                    isinstance(record, DescriptorTables)
                    and any(row.node_pid == self.seen_pid and row.socket == sockets for row in record.rows)
                )
            )

    def assert_openers(self) -> Stream:
        """Ends the trace. What is open was opened by whom the load and /proc say; the whole stream."""
        in_proc = self.book.open_since(self.pid, SUSPECTED_AFTER + 1)
        stream = self.tracer.stop()
        stream.assert_whole()
        assert traced(stream, self.seen_pid) == in_proc == expected_of(FOLLOWED)
        return stream


def leak_at_once(*traced: Traced) -> None:
    """Each in a thread of its own: most of the time goes by between two readings."""
    with ThreadPoolExecutor() as threads:
        list(threads.map(Traced.leak, traced))


def expected_of(turns: int) -> Openers:
    """What is open after so many turns, of what was opened in these."""
    return {
        ("socket", "keeps"): turns * 13 - (turns - 1) * 4,
        ("socket", "copies"): turns * 3,
        ("socket", "pairs"): turns * 2,
        ("socket", "accepts"): turns,
        ("socket", "receives"): turns * 7,
        ("other", "watches"): turns * 5,
        ("pipe", "pipes"): turns * 2,
        ("file", "logs"): turns * 3,
    }


def assert_leaks(stream: Stream) -> None:
    """The report has a leak of each kind, under the function that opened most of it."""
    section = report_of(stream).descriptors
    assert section is not None
    leaks: dict[str, Leak] = {leak.kind: leak for leak in section.leaks or ()}
    most = {"socket": "keeps", "other": "watches", "pipe": "pipes", "file": "logs"}
    assert set(leaks) == set(most)
    expected = expected_of(FOLLOWED)
    for kind, found in leaks.items():
        assert most[kind] in [frame.symbol for frame in found.stack or ()]
        assert found.stack_open == expected[kind, most[kind]]
        assert found.followed_open == sum(count for (what, _), count in expected.items() if what == kind)


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """The load, linked to the C library."""
    program, source = tmp_path / "openers", HERE / "workloads" / "openers.c"
    subprocess.run(["gcc", "-O2", "-Wno-unused-result", "-o", str(program), str(source)], check=True)
    return program


def test_what_is_open_is_told_by_the_functions_that_opened_it(
    *,
    run: int,
    make_cgroup: MakeCgroup,
    workloads: Workloads,
    linked: Path,
    opened: ExitStack,
    start_tracer: StartTracer,
) -> None:
    def start(name: str, program: Path, wrapper: tuple[str, ...] = ()) -> tuple[Traced, Load]:
        cgroup = make_cgroup(f"podtrace-test-{os.getpid()}-{name}")
        load, tidy = Load(program, "alone", cgroup=cgroup), Load(program, "tidy", cgroup=cgroup)
        opened.callback(load.close)
        opened.callback(tidy.close)
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("descriptors",)), wrapper=wrapper)
        return Traced(tracer=tracer, load=load, pid=load.process.pid, seen_pid=load.process.pid), tidy

    static = workloads["openers"]
    started = {
        "static": start("static", static),
        "helper": start("helper", static, ("env", "PODTRACE_READS=helper")),
        "linked": start("linked", linked),
    }
    leak_at_once(*(each for each, _ in started.values()))
    for name, (each, tidy) in started.items():
        Book().take(tidy)
        stream = each.assert_openers()
        assert rows_of(stream, tidy.process.pid) == []
        # The C library's functions keep no frames: the first stack of one lacks its callers, and stands by itself.
        if name != "linked":
            assert_leaks(stream)


def test_namespaces_and_parents_change_nothing_of_that(
    cgroup: Path, make_cgroup: MakeCgroup, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    family = start_load("openers", "child", cgroup=cgroup, wrapper=NEST)
    parent = child_of(family.process.pid)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("descriptors",)))
    child = Traced(tracer=tracer, load=family, pid=child_of(parent), seen_pid=child_of(parent))

    other = make_cgroup(f"{cgroup.name}-nested")
    tracer = start_tracer(ask(CgroupTarget(path=str(other)), topics=("descriptors",)), wrapper=NEST)
    node = child_of(tracer.process.pid)
    load = start_load("openers", "alone", cgroup=other, wrapper=("nsenter", "-t", str(node), "-p", "-m", "--"))
    pid = child_of(load.process.pid)
    nested = Traced(tracer=tracer, load=load, pid=pid, seen_pid=pids(f"/proc/{pid}/status")[1])

    leak_at_once(child, nested)
    assert rows_of(child.assert_openers(), parent) == []
    nested.assert_openers()
