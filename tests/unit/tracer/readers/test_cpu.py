"""The reader of the topic cpu: nothing that a process had is lost or counted twice when its entry is taken out."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_podtrace.wire.cpu_records import CpuProcesses, CpuProcessRow, Throttling, ThrottlingRow
from podtrace_tracer.kernel import waits
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs.program import ScopeMatch
from podtrace_tracer.readers.cpu import SETTLED_NS, CpuReader
from podtrace_tracer.readers.model import TraceContext
from podtrace_tracer.target.scope import Target
from podtrace_tracer.target.scopes import Scopes
from tests.unit.tracer.memory_programs import MemoryPrograms

NOW = 100 * SETTLED_NS


@pytest.fixture
def programs() -> MemoryPrograms:
    return MemoryPrograms(("cpu",))


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """A pod's cgroup with one container, in a hierarchy of version 2."""
    root = tmp_path / "sys/fs/cgroup"
    container = root / "pod" / ("ab" * 32)
    container.mkdir(parents=True)
    for name in ("cgroup.procs", "cgroup.controllers"):
        (root / name).touch()
    limit(container, 10, 2, 3)
    return root / "pod"


def limit(cgroup: Path, periods: int, throttled: int, microseconds: int) -> None:
    text = f"nr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec {microseconds}\n"
    (cgroup / "cpu.stat").write_text(text)


def context_of(programs: MemoryPrograms, pod: Path) -> TraceContext:
    match = ScopeMatch(mode="helper", root_id=pod.stat().st_ino, level=1, per_child=True)
    target = Target(match=match, directory=pod)
    host = Host(root=pod.parents[3], release="6.1.0", machine="x86_64", is_root=True)
    return TraceContext(programs=programs, host=host, target=target, scopes=Scopes(programs, target))


def reader_of(programs: MemoryPrograms, pod: Path, *, max_ended: int = 100) -> CpuReader:
    return CpuReader(context_of(programs, pod), max_ended=max_ended, clock=lambda: NOW)


def put(programs: MemoryPrograms, tgid: int, *, on_cpu_ns: int, ended_ns: int = 0, start_ns: int = 5) -> None:
    key = programs.key("cpu_processes", start_ns=start_ns, tgid=tgid, scope=0)
    value = programs.value(
        "cpu_processes", on_cpu_ns=on_cpu_ns, switches=3, samples=1, ended_ns=ended_ns, pid=7, node_pid=tgid,
        comm=b"web",
    )  # fmt: skip
    programs.put("cpu_processes", key, value)


def rows_of(reader: CpuReader) -> list[CpuProcessRow]:
    (found,) = [table for table in reader.tables() if table.record is CpuProcesses]
    return list(found.rows.values())


def throttling_of(reader: CpuReader) -> list[ThrottlingRow]:
    (found,) = [table for table in reader.tables() if table.record is Throttling]
    return list(found.rows.values())


def test_the_programs_learn_which_calls_wait(programs: MemoryPrograms, pod: Path) -> None:
    reader_of(programs, pod)
    known = {
        int.from_bytes(key, "little"): int.from_bytes(value[0], "little") for key, value in programs.items("wait_calls")
    }
    assert known == waits.class_of_numbers("x86_64")
    assert known[202] == waits.class_number("LOCK")


def test_a_process_travels_with_its_name_and_pids(programs: MemoryPrograms, pod: Path) -> None:
    reader = reader_of(programs, pod)
    put(programs, 1_007, on_cpu_ns=40)
    reader.second()
    assert rows_of(reader) == [
        CpuProcessRow(scope=0, pid=7, node_pid=1_007, start_ns=5, comm="web", on_cpu_ns=40, switches=3, samples=1)
    ]


def test_an_ended_process_is_taken_out_once_its_last_threads_are_gone_and_stays_known(
    programs: MemoryPrograms, pod: Path
) -> None:
    reader = reader_of(programs, pod)
    put(programs, 1, on_cpu_ns=40, ended_ns=NOW - SETTLED_NS - 1)
    put(programs, 2, on_cpu_ns=50, ended_ns=NOW - SETTLED_NS + 1)
    reader.second()
    assert programs.count("cpu_processes") == 1
    assert sorted(row.on_cpu_ns for row in rows_of(reader)) == [40, 50]
    # A last thread that leaves its CPU still later makes a new entry: it is added.
    put(programs, 1, on_cpu_ns=2, ended_ns=NOW)
    reader.second()
    assert sorted(row.on_cpu_ns for row in rows_of(reader)) == [42, 50]
    put(programs, 1, on_cpu_ns=2, ended_ns=1)
    reader.second()
    reader.second()
    assert sorted(row.on_cpu_ns for row in rows_of(reader)) == [42, 50]


def test_a_pid_that_is_used_again_is_another_process(programs: MemoryPrograms, pod: Path) -> None:
    reader = reader_of(programs, pod)
    put(programs, 1, on_cpu_ns=40, start_ns=5, ended_ns=1)
    put(programs, 1, on_cpu_ns=50, start_ns=6)
    reader.second()
    assert sorted((row.start_ns, row.on_cpu_ns) for row in rows_of(reader)) == [(5, 40), (6, 50)]


def test_ended_processes_beyond_the_bound_are_let_go_the_idlest_first_and_counted(
    programs: MemoryPrograms, pod: Path
) -> None:
    reader = reader_of(programs, pod, max_ended=10)
    for number in range(1, 14):
        put(programs, number, on_cpu_ns=number, ended_ns=1)
    reader.second()
    assert min(row.on_cpu_ns for row in rows_of(reader)) == 5
    assert [(row.topic, row.count) for row in reader.dropped()] == [("cpu", 4)]


def test_throttling_counts_from_the_start_and_outlives_its_container(programs: MemoryPrograms, pod: Path) -> None:
    reader = reader_of(programs, pod)
    container = next(path for path in pod.iterdir() if path.is_dir())
    limit(container, 25, 6, 10)
    reader.second()
    expected = [ThrottlingRow(scope=0, periods=15, throttled=4, total_ns=7_000)]
    assert throttling_of(reader) == expected
    (container / "cpu.stat").unlink()
    reader.second()
    assert throttling_of(reader) == expected


def test_all_that_a_container_has_counted_that_started_meanwhile_was_in_the_trace(
    programs: MemoryPrograms, pod: Path
) -> None:
    context = context_of(programs, pod)
    reader = CpuReader(context)
    fresh = pod / ("cd" * 32)
    fresh.mkdir()
    limit(fresh, 4, 1, 9)
    programs.put("scope_of_cgroup", fresh.stat().st_ino, 1)
    context.scopes.look()
    reader.second()
    assert {row.scope: row.periods for row in throttling_of(reader)} == {0: 0, 1: 4}
