"""The reader of the topic locks: threads are added up, and those that ended are neither lost nor counted twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_podtrace.wire.lock_records import LockRow
from podtrace_tracer.kernel import waits
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.program import ScopeMatch
from podtrace_tracer.readers.locks import LockReader
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.symbols.frames import FrameBook
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms, constants

LOCK, PROCESS = 0x5000, 1_000


@pytest.fixture
def programs() -> MemoryPrograms:
    return MemoryPrograms(("locks",))


def reader_of(
    programs: MemoryPrograms, root: Path, *, max_ended: int = 100, frames: FrameBook | None = None
) -> LockReader:
    target = Target(match=ScopeMatch(mode="processes"), directory=None, pids=(PROCESS,))
    host = Host(root=root, release="6.1.0", machine="x86_64", is_root=True)
    context = TraceContext(
        programs=programs, host=host, target=target, scopes=Scopes(programs, target), frames=frames or FrameBook()
    )
    return LockReader(context, max_ended=max_ended)


def put(programs: MemoryPrograms, tid: int, *, address: int = LOCK, start_ns: int = 5, **counted: int) -> None:
    """What a thread has at a word of its process; by its number inside of the container it is 900 less."""
    key = programs.key(
        "lock_threads", start_ns=start_ns, address=address, tgid=PROCESS, scope=0, thread_start_ns=tid, tid=tid
    )
    value = programs.value(
        "lock_threads", pid=100, node_pid=PROCESS, tid=tid - 900, node_tid=tid, comm=b"web", thread_comm=b"worker",
        **counted,
    )  # fmt: skip
    programs.put("lock_threads", key, value)


def rows_of(reader: LockReader) -> list[LockRow]:
    (table,) = reader.tables()
    return list(table.rows.values())


def put_stack(programs: MemoryPrograms, stack: int, *addresses: int) -> None:
    """Functions return to these addresses."""
    programs.put("stacks", stack, programs.value("stacks", frames=addresses, count=len(addresses)))


def map_code(root: Path) -> None:
    """A program's file at the same places in memory as in the file, which cannot be read."""
    (root / f"proc/{PROCESS}").mkdir(parents=True)
    (root / f"proc/{PROCESS}/maps").write_text("5000-9000 r-xp 00005000 08:01 42    /bin/shop\n")


def alive(root: Path, *tids: int) -> None:
    for tid in tids:
        (root / f"proc/{PROCESS}/task/{tid}").mkdir(parents=True)


def fill(programs: MemoryPrograms, first: int) -> None:
    """More than a quarter of the table, in threads that are alive for ever."""
    for number in range(constants()["MAX_LOCK_THREADS"] // 4 + 1):
        key = programs.key("lock_threads", start_ns=9, address=first + number)
        programs.put("lock_threads", key, programs.value("lock_threads"))


def test_the_programs_learn_which_calls_wait_without_the_topic_cpu(programs: MemoryPrograms, tmp_path: Path) -> None:
    reader_of(programs, tmp_path)
    known = {int.from_bytes(key, "little"): int.from_bytes(of[0], "little") for key, of in programs.items("wait_calls")}
    assert known == waits.class_of_numbers("x86_64")


def test_threads_at_one_word_are_one_row_with_the_one_that_kept_the_others_waiting(
    programs: MemoryPrograms, tmp_path: Path
) -> None:
    reader = reader_of(programs, tmp_path)
    put(programs, 1_001, waits=7, held=7, timeouts=0, sum_ns=70, max_ns=20, max_queue=2, woken=5, woken_ns=50)
    put(programs, 1_002, waits=3, held=1, timeouts=2, sum_ns=40, max_ns=30, max_queue=3)
    put(programs, 1_003, woken=1, woken_ns=90)
    assert rows_of(reader) == [
        LockRow(
            scope=0, pid=100, node_pid=PROCESS, start_ns=5, comm="web", address=LOCK, waits=10, held=8, timeouts=2,
            sum_ns=110, max_ns=30, waiters=2, max_waiters=3, waker_tid=103, waker_node_tid=1_003, waker_comm="worker",
            waker_waits=1, waker_ns=90, frames=(), waker_frames=(), variable=(),
        )
    ]  # fmt: skip


def test_a_word_that_nobody_has_waited_for_to_the_end_is_no_row(programs: MemoryPrograms, tmp_path: Path) -> None:
    reader = reader_of(programs, tmp_path)
    put(programs, 1_001, woken=1, woken_ns=90)
    assert rows_of(reader) == []


def test_the_same_address_in_another_process_is_another_word(programs: MemoryPrograms, tmp_path: Path) -> None:
    reader = reader_of(programs, tmp_path)
    put(programs, 1_001, waits=1)
    put(programs, 1_002, waits=2, start_ns=6)
    put(programs, 1_003, waits=4, address=LOCK + 4)
    rows = rows_of(reader)
    assert {(row.start_ns, row.address): (row.waits, row.waker_tid, row.waker_comm) for row in rows} == {
        (5, LOCK): (1, 0, ""), (6, LOCK): (2, 0, ""), (5, LOCK + 4): (4, 0, ""),
    }  # fmt: skip


def test_ended_threads_make_room_when_there_is_little_and_stay_counted(
    programs: MemoryPrograms, tmp_path: Path
) -> None:
    reader = reader_of(programs, tmp_path)
    alive(tmp_path, 1_002)
    put(programs, 1_001, waits=7, sum_ns=70, max_ns=50, max_queue=4, woken=1, woken_ns=99)
    put(programs, 1_002, waits=3, sum_ns=30, max_ns=20, max_queue=2, woken=1, woken_ns=11)
    before = rows_of(reader)
    reader.second()
    assert programs.count("lock_threads") == 2
    fill(programs, first=LOCK + 8)
    reader.second()
    assert programs.count("lock_threads") == constants()["MAX_LOCK_THREADS"] // 4 + 2
    assert rows_of(reader) == before
    # Another thread of the same process comes and ends.
    put(programs, 1_003, waits=5, sum_ns=50, woken=1, woken_ns=100)
    reader.second()
    (row,) = rows_of(reader)
    assert (row.waits, row.sum_ns, row.max_ns, row.waiters, row.max_waiters) == (15, 150, 50, 3, 4)
    assert (row.waker_tid, row.waker_ns) == (103, 100)


def test_a_thread_that_the_tracer_cannot_see_is_not_taken_for_ended(programs: MemoryPrograms, tmp_path: Path) -> None:
    reader = reader_of(programs, tmp_path)
    key = programs.key("lock_threads", start_ns=5, address=LOCK)
    programs.put("lock_threads", key, programs.value("lock_threads", waits=1))
    fill(programs, first=LOCK + 8)
    reader.second()
    assert key in programs.tables["lock_threads"]


def test_words_beyond_the_bound_are_let_go_those_waited_for_least_first_and_counted(
    programs: MemoryPrograms, tmp_path: Path
) -> None:
    reader = reader_of(programs, tmp_path, max_ended=10)
    for number in range(1, 14):
        put(programs, 1_000 + number, address=LOCK + number, waits=1, sum_ns=number)
    fill(programs, first=LOCK + 100)
    reader.second()
    assert min(row.sum_ns for row in rows_of(reader)) == 5
    assert [(row.topic, row.count) for row in reader.dropped()] == [("locks", 4)]


def test_words_that_nobody_waits_for_make_room_too(programs: MemoryPrograms, tmp_path: Path) -> None:
    reader = reader_of(programs, tmp_path)
    for number in range(constants()["MAX_LOCK_QUEUES"] // 4 + 1):
        programs.put("lock_queues", programs.key("lock_queues", address=number), number % 2)
    reader.second()
    assert all(int.from_bytes(values[0], "little") for _, values in programs.items("lock_queues"))
    assert programs.count("lock_queues") == constants()["MAX_LOCK_QUEUES"] // 8


def test_a_word_has_the_frames_of_its_longest_wait_and_of_who_ended_most(
    programs: MemoryPrograms, tmp_path: Path
) -> None:
    map_code(tmp_path)
    frames = FrameBook(tmp_path / "proc")
    reader = reader_of(programs, tmp_path, frames=frames)
    frames.see((5, 3, PROCESS), PROCESS, 100)
    put_stack(programs, 71, 0x5101, 0x5201)
    put_stack(programs, 72, 0x5301, 0x5401)
    put_stack(programs, 73, 0x5501)
    put(programs, 1_001, waits=7, sum_ns=70, stack=71, stack_ns=20, executions=3)
    put(programs, 1_002, waits=7, sum_ns=70, stack=72, stack_ns=30, executions=3)
    put(programs, 1_003, woken=2, woken_ns=90, waker_stack=73, executions=3)
    put(programs, 1_004, waits=1, address=LOCK + 4)
    rows = {row.address: row for row in rows_of(reader)}
    assert [frames.rows[number].offset for number in rows[LOCK].frames] == [0x5300, 0x5400]
    assert [frames.rows[number].offset for number in rows[LOCK].waker_frames] == [0x5500]
    assert {*rows[LOCK].frames, *rows[LOCK].waker_frames} == set(frames.used)
    assert (rows[LOCK + 4].frames, rows[LOCK + 4].waker_frames) == ((), ())


def test_the_stack_of_a_thread_that_ended_stays_while_no_longer_wait_is_seen(
    programs: MemoryPrograms, tmp_path: Path
) -> None:
    map_code(tmp_path)
    frames = FrameBook(tmp_path / "proc")
    reader = reader_of(programs, tmp_path, frames=frames)
    frames.see((5, 3, PROCESS), PROCESS, 100)
    put_stack(programs, 71, 0x5101)
    put_stack(programs, 72, 0x5301)
    put(programs, 1_001, waits=7, sum_ns=70, stack=71, stack_ns=20, executions=3)
    fill(programs, first=LOCK + 8)
    reader.second()
    put(programs, 1_002, waits=7, sum_ns=70, stack=72, stack_ns=19, executions=3)
    (row,) = rows_of(reader)
    assert [frames.rows[number].offset for number in row.frames] == [0x5100]
