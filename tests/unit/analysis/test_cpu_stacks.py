"""The stacks behind the topic cpu: what stands in no stack is the rest, so that all add up to the totals."""

from __future__ import annotations

from kubectl_podtrace.analysis.cpu import Cpu, cpu
from kubectl_podtrace.analysis.cpu_stacks import LISTED_STACKS, CpuStack, OffCpuStack
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.wire.histogram import bucket_of
from kubectl_podtrace.wire.records import Record, Totals
from kubectl_podtrace.wire.stack_records import CpuStackRow, CpuStacks, FrameRow, Frames, OffCpuStackRow, OffCpuStacks
from tests.unit.analysis.selections import selection_of
from tests.unit.streams import Stream, scope, totals_row

MS = 1_000_000
FRAMES = Frames(
    rows=tuple(
        FrameRow(key=key, symbol=symbol, module="/app", offset=0, source="", build_id="")
        for key, symbol in enumerate(("spin", "work", "main", "enter"))
    )
)


def ran(key: int, samples: int, *frames: int, at: int = 0) -> CpuStackRow:
    return CpuStackRow(scope=at, key=key, samples=samples, frames=frames)


def waited(key: int, cause: str, *durations_ms: int, frames: tuple[int, ...] = (3, 2), at: int = 0) -> OffCpuStackRow:
    values = [MS * duration for duration in durations_ms]
    return OffCpuStackRow(
        scope=at, key=key, operation=f"cpu.{cause}", count=len(values), total_ns=sum(values), max_ns=max(values),
        buckets=tuple(number for value in sorted(values) for number in (bucket_of(value), 1)), frames=frames,
    )  # fmt: skip


def section(*records: Record) -> Cpu:
    stream = Stream()
    stream.add(scope(0), scope(1), FRAMES, *records)
    return cpu(selection_of(stream.fold()))


def names(stack: CpuStack | OffCpuStack) -> list[str | None]:
    return [frame.symbol for frame in stack.frames]


def test_samples_stand_under_their_stack_and_the_rest_under_other() -> None:
    rows = (ran(0, 10, 0, 2), ran(1, 60, 0, 1, 2), ran(2, 20, 0, 1, 2, at=1))
    found = section(CpuStacks(rows=rows), Totals(rows=(totals_row("cpu.run", count=100),))).stacks
    assert [(names(stack), stack.samples, stack.share_ratio) for stack in found] == [
        (["spin", "work", "main"], 80, 0.8), (["spin", "main"], 10, 0.1), ([OTHER], 10, 0.1),
    ]  # fmt: skip


def test_stacks_ahead_of_the_total_share_what_they_have() -> None:
    found = section(CpuStacks(rows=(ran(0, 30, 0), ran(1, 10, 1))), Totals(rows=(totals_row("cpu.run", count=25),)))
    assert [(names(stack), stack.share_ratio) for stack in found.stacks] == [(["spin"], 0.75), (["work"], 0.25)]


def test_no_more_stacks_are_listed_than_a_list_holds_and_all_add_up() -> None:
    rows = [ran(key, 1 + key, 0, *[1] * key) for key in range(LISTED_STACKS + 50)]
    parts = [CpuStacks(rows=tuple(rows[start : start + 5])) for start in range(0, len(rows), 5)]
    total = sum(row.samples for row in rows)
    found = section(*parts, Totals(rows=(totals_row("cpu.run", count=total),))).stacks
    assert len(found) == LISTED_STACKS + 1
    assert sum(stack.samples for stack in found) == total
    assert names(found[-1]) == [OTHER]


def test_a_cpu_that_nothing_ran_on_has_no_stacks() -> None:
    empty = section()
    assert (empty.stacks, empty.off_cpu) == ((), ())


def test_waits_stand_under_their_cause_and_stack_and_the_rest_of_each_cause_under_other() -> None:
    rows = (
        waited(0, "lock", 2, 3), waited(1, "lock", 40, at=1), waited(2, "network", 5),
        waited(3, "lock", 4, frames=(3, 1, 2)), waited(4, "sleep", 7, frames=()),
    )  # fmt: skip
    totals = (
        totals_row("cpu.lock", count=100, sum_ns=60 * MS), totals_row("cpu.lock", scope=1, count=1, sum_ns=40 * MS),
        totals_row("cpu.network", count=1, sum_ns=5 * MS), totals_row("cpu.sleep", count=1, sum_ns=7 * MS),
        totals_row("cpu.run_queue", count=9, sum_ns=9 * MS),
    )  # fmt: skip
    found = section(OffCpuStacks(rows=rows), Totals(rows=totals)).off_cpu
    assert [(stack.cause, names(stack), stack.count, stack.total_ns) for stack in found] == [
        ("lock", ["enter", "main"], 3, 45 * MS),
        ("network", ["enter", "main"], 1, 5 * MS),
        ("lock", ["enter", "work", "main"], 1, 4 * MS),
        ("lock", [OTHER], 97, 51 * MS),
        ("sleep", [OTHER], 1, 7 * MS),
    ]
    assert [(stack.latency.count, stack.latency.max_ns) for stack in found] == [
        (3, 40 * MS), (1, 5 * MS), (1, 4 * MS), (0, 0), (0, 0),
    ]  # fmt: skip


def test_waits_ahead_of_their_total_leave_no_rest() -> None:
    totals = Totals(rows=(totals_row("cpu.lock", count=1, sum_ns=2 * MS),))
    (only,) = section(OffCpuStacks(rows=(waited(0, "lock", 2, 3),)), totals).off_cpu
    assert (only.count, only.total_ns) == (2, 5 * MS)


def test_an_operation_that_is_no_wait_is_left_out() -> None:
    assert section(OffCpuStacks(rows=(waited(0, "run_queue", 2), waited(1, "block", 2)))).off_cpu == ()
