"""Locks: every wait for a futex under its address, how it ended and who ended it; the sums are those of `cpu.lock`."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.wire import records
from kubectl_podtrace.wire.lock_records import LockRow, Locks
from kubectl_podtrace.wire.request import CgroupTarget, ProcessTarget
from kubectl_podtrace.wire.stack_records import Frames
from podtrace_tracer.programs.program import TABLE_SIZES
from tests.bpf.conftest import CFLAGS, StartLoad, StartTracer, Workloads
from tests.bpf.harness import Load, ask
from tests.bpf.stream import Stream
from tests.bpf.test_c_libraries import LIBRARIES

TOPICS = ("cpu", "locks")


def locks_of(stream: Stream) -> dict[tuple[int, int], LockRow]:
    """The last row of each futex, by process and address."""
    return {(row.pid, row.address): row for record in stream.of(Locks) for row in record.rows}


def assert_whole(stream: Stream) -> None:
    """Nothing is lost, and what threads waited for locks is the sum of its parts."""
    stream.assert_whole()
    total, rows = stream.total("cpu.lock"), locks_of(stream).values()
    assert sum(row.waits for row in rows) == total.count
    assert sum(row.sum_ns for row in rows) == total.sum_ns
    assert max(row.max_ns for row in rows) == total.max_ns


def assert_claimed(stream: Stream, claimed: Sequence[dict[str, Any]], waker: int) -> None:
    """Each futex that the load knows has what it says."""
    rows = locks_of(stream)
    found, said = {}, {}
    for claim in claimed:
        row, name = rows[claim["pid"], claim["address"]], claim["name"]
        found[name] = (row.waits, row.timeouts, row.held, row.waiters, row.waker_waits)
        said[name] = tuple(claim[key] for key in ("waits", "timeouts", "held", "waiters", "woken"))
        assert row.max_waiters == claim["at_once"] or not claim["at_once"], name
        assert row.waker_tid == (waker if claim["woken"] else 0), name
        # The call begins before its thread leaves the CPU, and returns after that was woken.
        assert 0 < row.max_ns <= row.sum_ns <= claim["took_ns"], name
        assert row.comm == "locks"
    assert found == said


def trace(load: Load, start_tracer: StartTracer, target: CgroupTarget | ProcessTarget) -> tuple[Stream, dict[str, Any]]:
    tracer = start_tracer(ask(target, topics=TOPICS))
    load.release()
    body = load.claims().body
    load.release()
    load.finish()
    return tracer.stop(), body


@pytest.mark.parametrize("reads", [(), ("env", "PODTRACE_READS=helper")], ids=["loads", "helper"])
def test_each_wait_counts_at_its_address_with_its_end_and_who_ended_it(
    run: int, reads: tuple[str, ...], cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("locks", "known", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=TOPICS), wrapper=reads)
    load.release()
    body = load.claims().body
    load.release()
    load.finish()
    stream = tracer.stop()
    assert_whole(stream)
    assert_claimed(stream, body["locks"], body["waker"])
    timed = next(claim for claim in body["locks"] if claim["name"] == "timed")
    assert locks_of(stream)[timed["pid"], timed["address"]].sum_ns >= 14 * 20_000_000


STRACE = ("strace", "-ff", "-X", "raw", "-e", "trace=futex", "-o")
CALL = re.compile(r"^futex\((0x[0-9a-f]+), (\w+), .*\)\s+= (-?\d+|\?)(?: (E[A-Z]+))?", re.MULTILINE)
WAITING = frozenset({0, 6, 9, 11, 13})
"""FUTEX_WAIT, FUTEX_LOCK_PI and their relatives."""


def waits_by_strace(logs: Sequence[Path]) -> Counter[tuple[int, str]]:
    """Calls that waited by address and end (`woken`, `timeout`, `interrupted`), of one process."""
    found: Counter[tuple[int, str]] = Counter()
    for log in logs:
        for address, operation, result, error in CALL.findall(log.read_text()):
            if int(operation, 0) & 0x7F not in WAITING or error == "EAGAIN":
                continue
            end = {"": "woken", "ETIMEDOUT": "timeout"}.get(error, "interrupted" if result in "?-1" else error)
            found[int(address, 16), end] += 1
    return found


def test_strace_sees_the_same_waits_end_in_the_same_way(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer, tmp_path: Path
) -> None:
    straced = start_load("locks", "known", cgroup=None, wrapper=(*STRACE, str(tmp_path / "strace")))
    straced.release()
    claimed = {claim["name"]: claim for claim in straced.claims().body["locks"]}
    straced.release()
    straced.finish()
    calls = waits_by_strace(list(tmp_path.glob("strace.*")))
    stream, body = trace(start_load("locks", "known", cgroup=cgroup), start_tracer, CgroupTarget(path=str(cgroup)))
    rows = locks_of(stream)
    for claim in body["locks"]:
        if claim["name"] in ("vector", "newly"):
            continue  # other system calls
        row, address = rows[claim["pid"], claim["address"]], claimed[claim["name"]]["address"]
        ends = {end: calls[address, end] for end in ("woken", "timeout", "interrupted")}
        # The load takes this one without waiting as often.
        without_waiting = claim["waits"] if claim["name"] == "inheriting" else 0
        assert row.waits == sum(ends.values()) - without_waiting, claim["name"]
        assert row.timeouts == ends["timeout"], claim["name"]


def test_every_switch_of_threads_that_fight_for_a_mutex_is_a_wait_for_it(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    if os.cpu_count() == 1:
        pytest.skip("on one CPU a holder that yields is not fought with")
    load = start_load("locks", "mutex", "7", "20011", cgroup=cgroup)
    stream, body = trace(load, start_tracer, CgroupTarget(path=str(cgroup)))
    assert_whole(stream)
    (claim,) = body["locks"]
    row = locks_of(stream)[claim["pid"], claim["address"]]
    assert (row.waits, row.held, row.timeouts, row.waiters) == (claim["waits"], claim["waits"], 0, 7)
    assert row.waits > 1_000
    assert 2 <= row.max_waiters <= 7
    assert symbols(stream, row.variable) == ["mutex"]
    assert stream.total("locks.contended").count == row.waits


def test_a_process_alone_is_traced_in_the_same_way(start_load: StartLoad, start_tracer: StartTracer) -> None:
    load = start_load("locks", "known", cgroup=None)
    stream, body = trace(load, start_tracer, ProcessTarget(pid=load.process.pid))
    assert_whole(stream)
    assert_claimed(stream, body["locks"], body["waker"])


def test_threads_that_end_make_room_for_the_next_ones(
    cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    count = TABLE_SIZES["lock_threads"] // 2 + 1
    load = start_load("locks", "threads", str(count), cgroup=cgroup)
    stream, body = trace(load, start_tracer, CgroupTarget(path=str(cgroup)))
    stream.assert_whole()
    (claim,) = body["locks"]
    row = locks_of(stream)[claim["pid"], claim["address"]]
    assert (row.waits, row.waiters, row.waker_waits) == (count, count, count)
    places = {line.at_ns: table.keys for line in stream.lines if isinstance(line.record, records.Heartbeat)
              for table in line.record.tables if table.table == "lock_threads"}  # fmt: skip
    assert max(places.values()) < TABLE_SIZES["lock_threads"]


def test_nobody_pays_for_locks_that_are_not_asked_for(cgroup: Path, start_tracer: StartTracer) -> None:
    stream = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("cpu",))).stop()
    assert "raw_tracepoint:sched_waking" not in {probe.name for probe in stream.of(records.Probe)}


def library_rows(stream: Stream, claim: dict[str, Any], *, bytes_of_object: int = 64) -> list[LockRow]:
    """What was waited for in an object of the C library."""
    first = claim["address"]
    return [
        row
        for (pid, address), row in locks_of(stream).items()
        if pid == claim["pid"] and first <= address < first + bytes_of_object
    ]


@pytest.fixture(params=["static", *LIBRARIES])
def library(request: pytest.FixtureRequest, workloads: Workloads, tmp_path: Path) -> tuple[str, Path]:
    """A C library, and the load built with it."""
    name: str = request.param
    if name == "static":
        return name, workloads["locks"]
    source, program = Path(__file__).parent / "workloads/locks.c", tmp_path / "locks"
    subprocess.run([*LIBRARIES[name](), "-o", str(program), str(source)], check=True)
    return name, program


def test_locks_of_the_c_library_are_told_from_its_semaphores_and_conditions(
    library: tuple[str, Path], cgroup: Path, start_tracer: StartTracer, opened: ExitStack
) -> None:
    is_musl = library[0] == "musl-static"
    load = Load(library[1], "library", cgroup=cgroup)
    opened.callback(load.close)
    stream, body = trace(load, start_tracer, CgroupTarget(path=str(cgroup)))
    assert_whole(stream)
    for claim in body["locks"]:
        rows, name = library_rows(stream, claim), claim["name"]
        if is_musl and name == "condition":
            # A thread that waits for a condition waits for a word on its stack.
            assert rows == []
            continue
        assert sum(row.waits for row in rows) == claim["waits"], name
        assert sum(row.held for row in rows) == claim["held"], name
    condition = next(claim for claim in body["locks"] if claim["name"] == "condition")
    if is_musl:
        on_stacks = [row for row in locks_of(stream).values() if row.waits == condition["waits"]]
        assert [row.held for row in on_stacks] == [0]


def symbols(stream: Stream, numbers: Sequence[int]) -> list[str]:
    """The functions of these frames, innermost first."""
    frames = {row.key: row.symbol for record in stream.of(Frames) for row in record.rows}
    return [frames[number] for number in numbers]


def test_the_stacks_of_who_waits_and_of_who_ends_that_are_those_of_the_program(
    cgroup: Path, start_tracer: StartTracer, tmp_path: Path, opened: ExitStack
) -> None:
    source, program = Path(__file__).parent / "workloads/locks.c", tmp_path / "locks"
    subprocess.run(["gcc", *CFLAGS, "-fno-omit-frame-pointer", "-o", str(program), str(source)], check=True)
    load = Load(program, "known", cgroup=cgroup)
    opened.callback(load.close)
    stream, body = trace(load, start_tracer, CgroupTarget(path=str(cgroup)))
    assert_whole(stream)
    compared = 0
    for claim in body["locks"]:
        if claim["name"] not in ("held", "musl", "conditional", "woken in time", "timed"):
            continue
        row = locks_of(stream)[claim["pid"], claim["address"]]
        waiting, waking = symbols(stream, row.frames), symbols(stream, row.waker_frames)
        at = waiting.index("wait_here")
        assert waiting[at : at + 3] == ["wait_here", "wait_for_word", "sleep_in_turns"], claim["name"]
        if claim["woken"]:
            at = waking.index("wake")
            assert waking[at : at + 2] == ["wake", "known"], claim["name"]
        else:
            assert waking == []
        compared += 1
    assert compared == 5
