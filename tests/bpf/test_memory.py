"""Page faults as wait4 and /proc tell them, limits and records as the memory controller does, kills for memory."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from kubectl_podtrace.wire.memory_records import CgroupMemory, CgroupMemoryRow, MemoryProcesses, MemoryProcessRow
from kubectl_podtrace.wire.request import CgroupTarget, ProcessTarget
from tests.bpf.conftest import MakeCgroup, StartLoad, StartTracer
from tests.bpf.harness import PATIENCE_S, Load, Tracer, ask
from tests.bpf.stream import Stream
from tests.bpf.test_lifecycle import EATER, limited_cgroup, oom_kills_told

MEMORY = ("memory",)


def processes(stream: Stream) -> dict[int, MemoryProcessRow]:
    """The last row of each process, by its pid on the node."""
    return {row.node_pid: row for record in stream.of(MemoryProcesses) for row in record.rows}


def cgroup_of(stream: Stream) -> CgroupMemoryRow:
    """The last row of the only scope."""
    return [row for record in stream.of(CgroupMemory) for row in record.rows][-1]


def faults(pid: int) -> tuple[int, int]:
    """The minor and major faults of a process, as /proc tells them."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[7]), int(fields[9])


def count(stream: Stream, operation: str) -> int:
    found = stream.counts().get(operation)
    return found.count if found else 0


def run_to_its_end(load: Load, tracer: Tracer) -> tuple[tuple[int, int], Stream]:
    """The faults of a load and its children while it was traced, by wait4; and the stream."""
    before = faults(load.process.pid)
    load.release()
    load.claims()
    _, status, usage = os.wait4(load.process.pid, 0)
    load.process.returncode = os.waitstatus_to_exitcode(status)
    assert load.process.returncode == 0
    return (usage.ru_minflt - before[0], usage.ru_majflt - before[1]), tracer.stop()


def assert_as_told(stream: Stream, told: tuple[int, int]) -> None:
    """The totals are what the kernel told the parent, and the processes add up to them."""
    stream.assert_whole()
    rows = processes(stream).values()
    assert (count(stream, "memory.minor_fault"), count(stream, "memory.major_fault")) == told
    assert (sum(row.minor_faults for row in rows), sum(row.major_faults for row in rows)) == told


def test_page_faults_of_threads_and_children_that_end_are_those_that_wait4_tells(
    run: int, cgroup: Path, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("memory", cgroup=cgroup)
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=MEMORY))
    told, stream = run_to_its_end(load, tracer)
    assert_as_told(stream, told)
    assert told[0] > 1009 + 5 * 211 + 7 * 503
    assert len(processes(stream)) == 8
    assert not [row for row in processes(stream).values() if row.alive]


def test_descendants_of_a_process_are_followed_whatever_their_cgroup(
    run: int, start_load: StartLoad, start_tracer: StartTracer
) -> None:
    load = start_load("memory", cgroup=None)
    tracer = start_tracer(ask(ProcessTarget(pid=load.process.pid), topics=MEMORY))
    told, stream = run_to_its_end(load, tracer)
    assert_as_told(stream, told)


READER = """
import mmap, os, sys
def touch(file):
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    mapped = mmap.mmap(file, 0, mmap.MAP_SHARED, mmap.PROT_READ)
    mapped.madvise(mmap.MADV_RANDOM)
    return sum(mapped[place] for place in range(0, len(mapped), mmap.PAGESIZE))
file = os.open(sys.argv[1], os.O_RDONLY)
for line in sys.stdin:
    touch(file)
    held = b"x" * 50_000_000
    print("done", flush=True)
"""


def next_round(stdin: IO[str], stdout: IO[str]) -> None:
    stdin.write("\n")
    stdin.flush()
    assert stdout.readline() == "done\n"


def test_a_living_process_has_the_faults_that_proc_tells_and_what_it_held_at_most(
    run: int, cgroup: Path, tmp_path: Path, start_tracer: StartTracer
) -> None:
    file = tmp_path / "data"
    with file.open("wb") as out:
        out.write(os.urandom(31 * mmap.PAGESIZE))
        out.flush()
        os.fsync(out.fileno())
    enter = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'
    command = ["sh", "-c", enter, "sh", str(cgroup), sys.executable, "-c", READER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        next_round(reader.stdin, reader.stdout)  # before the trace, so that it has faults from then
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=MEMORY))
        before = faults(reader.pid)
        next_round(reader.stdin, reader.stdout)
        now = faults(reader.pid)
        stream = tracer.stop()
        assert faults(reader.pid) == now
        resident = int(Path(f"/proc/{reader.pid}/statm").read_text().split()[1]) * mmap.PAGESIZE
        reader.stdin.close()
        assert reader.wait(PATIENCE_S) == 0
    assert_as_told(stream, (now[0] - before[0], now[1] - before[1]))
    (row,) = processes(stream).values()
    assert row.alive
    assert row.minor_faults > 31
    assert row.resident_peak_bytes >= row.resident_bytes
    assert abs(row.resident_bytes - resident) < 2 << 20  # the kernel counts in batches


def test_limit_record_and_kills_are_those_of_the_controller(
    run: int, make_cgroup: MakeCgroup, start_tracer: StartTracer
) -> None:
    cgroup, limited = limited_cgroup(make_cgroup)
    try:
        tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=MEMORY))
        enter = f'echo $$ > "{limited}/cgroup.procs" && echo $$ > "{cgroup}/cgroup.procs" && exec "$@"'
        for _ in range(3):
            eater = subprocess.run(["sh", "-c", enter, "sh", sys.executable, "-c", EATER], check=False)
            assert eater.returncode == -9
        assert oom_kills_told(limited) == 3
        record = next(limited.glob("memory.peak"), limited / "memory.max_usage_in_bytes")
        told = int(record.read_text()) if record.exists() else 0
        stream = tracer.stop()
    finally:
        if limited != cgroup:
            limited.rmdir()
    stream.assert_whole()
    assert count(stream, "memory.oom_kill") == 3
    kills = stream.events("memory.oom_kill")
    names = {(row.pid, row.comm) for row in processes(stream).values()}
    assert {(event.pid, event.comm) for event in kills} <= names
    row = cgroup_of(stream)
    assert (row.limit_bytes, row.oom_kills) == (64 << 20, 3)
    if told:
        assert (row.peak_bytes, row.peak_is_exact) == (told, True)
    assert row.working_set_peak_bytes <= row.peak_bytes <= row.limit_bytes
