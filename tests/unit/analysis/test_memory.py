"""The section memory, against what was put into the stream."""

from __future__ import annotations

from dataclasses import replace

from kubectl_podtrace.analysis.memory import memory
from kubectl_podtrace.analysis.selection import select
from kubectl_podtrace.wire.memory_records import CgroupMemory, MemoryProcesses, MemoryProcessRow
from kubectl_podtrace.wire.records import Totals
from tests.unit.analysis.selections import selection_of
from tests.unit.process_records import cgroup_row
from tests.unit.shop import shop_stream
from tests.unit.streams import SECOND, STARTED, Stream, totals_row


def process(number: int, *, minor: int = 1, major: int = 0, peak: int = 0) -> MemoryProcessRow:
    return MemoryProcessRow(
        scope=0, pid=number, node_pid=1_000 + number, start_ns=number, comm=f"p{number}", alive=True,
        minor_faults=minor, major_faults=major, resident_bytes=peak, resident_peak_bytes=peak,
    )  # fmt: skip


def test_the_shop_s_faults_and_its_limit() -> None:
    section = memory(selection_of(shop_stream().fold()))
    assert (section.minor_faults, section.major_faults, section.oom_kills) == (211, 3, 0)
    assert (section.limit_bytes, section.peak_bytes, section.used_ratio) == (128 << 20, 120 << 20, 0.75)
    assert [each.comm for each in section.processes] == ["shop", "sh", "(other)"]
    assert section.processes[-1].minor_faults == 211 - 101 - 53


def test_the_container_nearest_to_its_limit_speaks_for_the_pod() -> None:
    stream = Stream()
    rows = (
        cgroup_row(scope=0, working_set_peak_bytes=900),
        cgroup_row(scope=1, limit_bytes=1_000, working_set_peak_bytes=500, peak_bytes=600, oom_kills=2),
        cgroup_row(scope=2, limit_bytes=100, working_set_peak_bytes=90, peak_bytes=95, peak_is_exact=False),
    )
    stream.add(CgroupMemory(rows=rows))
    names = {0: "web", 1: "api", 2: "job"}
    chosen = select(stream.fold().state(), None, start_ns=STARTED, end_ns=STARTED + SECOND)
    section = memory(replace(chosen, scope_names=names))
    assert [each.container for each in section.containers] == ["job", "api", "web"]
    assert (section.limit_bytes, section.used_ratio, section.peak_bytes, section.peak_is_exact) == (100, 0.9, 95, False)
    assert [(each.limit_bytes, each.oom_kills) for each in section.containers[1:]] == [(1_000, 2), (None, 0)]


def test_processes_are_listed_by_what_they_held_and_add_up_to_the_totals() -> None:
    stream = Stream()
    rows = tuple(process(number, minor=number, peak=number << 20) for number in range(1, 104))
    stream.add(MemoryProcesses(rows=rows[:60]), MemoryProcesses(rows=rows[60:]))
    stream.add(Totals(rows=(totals_row("memory.minor_fault", count=sum(range(104))),)))
    section = memory(selection_of(stream.fold()))
    assert len(section.processes) == 101
    assert section.processes[0].pid == 103
    assert sum(each.minor_faults for each in section.processes) == section.minor_faults


def test_where_there_is_no_controller_nothing_is_said_of_limits() -> None:
    section = memory(selection_of(Stream().fold()))
    assert (section.limit_bytes, section.peak_bytes, section.used_ratio, section.containers) == (None, None, None, ())
