"""What opens descriptors of which a process has more and more: exact for all that came to be since that was seen."""

from __future__ import annotations

import subprocess
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kubectl_podtrace.analysis.descriptors import Leak
from kubectl_podtrace.wire.descriptor_records import DescriptorOpenerRow, DescriptorOpeners, DescriptorTables
from kubectl_podtrace.wire.request import CgroupTarget
from kubectl_podtrace.wire.stack_records import Frames
from tests.bpf.conftest import HERE, StartLoad, StartTracer
from tests.bpf.harness import Load, Tracer, ask
from tests.bpf.second_sources import kind_by_link, table_kinds
from tests.bpf.stream import Stream
from tests.bpf.test_descriptors import report_of
from tests.bpf.test_namespaces import NEST, child_of, pids

SUSPECTED_AFTER = 2
"""Readings of more and more descriptors."""
LINES = 5
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


def leak(tracer: Tracer, load: Load, pid: int, *, node_pid: int = 0) -> Book:
    """Lets the load grow in several readings of the tracer, which may know it by another pid."""
    book = Book()
    for _ in range(LINES):
        book.take(load)
        kinds = table_kinds(pid)
        tracer.wait_for(
            lambda record, kinds=kinds: (  # type: ignore[misc]
                isinstance(record, DescriptorTables)
                and any(row.node_pid == (node_pid or pid) and row.socket == kinds["socket"] for row in record.rows)
            )
        )
    return book


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


FOLLOWED = LINES - SUSPECTED_AFTER


@pytest.mark.parametrize("reads", [(), ("env", "PODTRACE_READS=helper")], ids=["loads", "helper"])
def test_what_is_open_is_told_by_the_functions_that_opened_it(
    *, run: int, reads: tuple[str, ...], cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("openers", "alone", cgroup=cgroup)
    tidy = start_load("openers", "tidy", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("descriptors",)), wrapper=reads)
    pid = load.process.pid
    book = leak(tracer, load, pid)
    Book().take(tidy)
    in_proc = book.open_since(pid, SUSPECTED_AFTER + 1)
    stream = tracer.stop()
    stream.assert_whole()
    assert traced(stream, pid) == in_proc == expected_of(FOLLOWED)
    assert rows_of(stream, tidy.process.pid) == []

    section = report_of(stream).descriptors
    assert section is not None
    leaks: dict[str, Leak] = {leak.kind: leak for leak in section.leaks or ()}
    most = {"socket": "keeps", "other": "watches", "pipe": "pipes", "file": "logs"}
    assert set(leaks) == set(most)
    for kind, who in most.items():
        assert who in [frame.symbol for frame in leaks[kind].stack or ()]
        assert leaks[kind].stack_open == in_proc[kind, who]
    for kind, found in leaks.items():
        assert found.followed_open == sum(count for (what, _), count in in_proc.items() if what == kind)


def test_a_program_that_is_linked_to_the_c_library_has_the_same_openers(
    cgroup: Path, start_tracer: StartTracer, opened: ExitStack, tmp_path: Path
) -> None:
    program = tmp_path / "openers"
    source = HERE / "workloads" / "openers.c"
    subprocess.run(["gcc", "-O2", "-Wno-unused-result", "-o", str(program), str(source)], check=True)
    load = Load(program, "alone", cgroup=cgroup)
    opened.callback(load.close)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("descriptors",)))
    book = leak(tracer, load, load.process.pid)
    in_proc = book.open_since(load.process.pid, SUSPECTED_AFTER + 1)
    stream = tracer.stop()
    assert traced(stream, load.process.pid) == in_proc == expected_of(FOLLOWED)


def test_a_child_that_leaks_is_told_by_its_own_openers_and_not_by_what_its_parent_left_it(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("openers", "child", cgroup=cgroup, wrapper=NEST)
    parent = child_of(load.process.pid)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("descriptors",)))
    pid = child_of(parent)
    book = leak(tracer, load, pid)
    in_proc = book.open_since(pid, SUSPECTED_AFTER + 1)
    stream = tracer.stop()
    stream.assert_whole()
    assert traced(stream, pid) == in_proc == expected_of(FOLLOWED)
    assert rows_of(stream, parent) == []


def test_a_tracer_in_a_namespace_of_its_own_finds_who_opens(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    request = ask(CgroupTarget(path=str(cgroup)), topics=("descriptors",))
    tracer = start_tracer(request, wrapper=NEST)
    node = child_of(tracer.process.pid)
    load = start_load("openers", "alone", cgroup=cgroup, wrapper=("nsenter", "-t", str(node), "-p", "-m", "--"))
    pid = child_of(load.process.pid)
    seen = pids(f"/proc/{pid}/status")[1]
    book = leak(tracer, load, pid, node_pid=seen)
    in_proc = book.open_since(pid, SUSPECTED_AFTER + 1)
    stream = tracer.stop()
    stream.assert_whole()
    assert traced(stream, seen) == in_proc == expected_of(FOLLOWED)
