"""The sections of stacks and of functions that ran, against what was put into the stream."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubectl_podtrace.analysis.cpu import cpu
from kubectl_podtrace.analysis.selection import LISTED, OTHER
from kubectl_podtrace.analysis.stacks import stacks
from kubectl_podtrace.wire.histogram import BUCKETS, bucket_of
from kubectl_podtrace.wire.records import Totals
from kubectl_podtrace.wire.stack_records import CpuFunctionRow, CpuFunctions, FrameRow, Frames, StackRow, Stacks
from tests.unit.analysis.selections import selection_of
from tests.unit.stacks import stack_records
from tests.unit.streams import Stream, scope, totals_row

MS = 1_000_000
FRAMES = Frames(
    rows=tuple(
        FrameRow(key=key, symbol=symbol, module="/app", offset=16 * key, source="", build_id="")
        for key, symbol in enumerate(("fsync", "flush", "main", ""))
    )
)


def row(key: int, *durations_ms: int, frames: tuple[int, ...] = (0, 1, 2), target: str = "/a", at: int = 0) -> StackRow:
    values = [MS * duration for duration in durations_ms]
    buckets = tuple(number for value in values for number in (bucket_of(value), 1))
    return StackRow(
        scope=at, key=key, operation="files.fsync", target=target, targets_vary=False, count=len(values),
        total_ns=sum(values), max_ns=max(values), buckets=buckets, frames=frames,
    )  # fmt: skip


def test_what_took_most_time_comes_first_with_true_averages_and_an_exact_other() -> None:
    stream = Stream()
    stream.add(FRAMES, Stacks(rows=(row(0, 20, 40), row(1, 500, frames=(0, 3)))))
    stream.add(Totals(rows=(totals_row("files.fsync", count=100, slow=10),)))
    long, short, rest = stacks(selection_of(stream.fold()))
    assert [(each.count, each.latency.avg_ns, each.latency.max_ns) for each in (long, short)] == [
        (1, 500 * MS, 500 * MS), (2, 30 * MS, 40 * MS),
    ]  # fmt: skip
    assert [frame.symbol for frame in long.frames] == ["fsync", None]
    assert [frame.symbol for frame in short.frames] == ["fsync", "flush", "main"]
    assert (rest.operation, rest.target, rest.count, rest.frames) == ("files.fsync", OTHER, 7, ())


def test_the_same_way_in_two_containers_is_one_unless_one_of_them_is_asked_for() -> None:
    stream = Stream()
    stream.add(scope(0), scope(1), FRAMES, Stacks(rows=(row(0, 20), row(1, 40, target="/b", at=1))))
    (both,) = stacks(selection_of(stream.fold()))
    assert (both.count, both.target, both.targets_vary, both.latency.max_ns) == (2, "/b", True, 40 * MS)
    (one,) = stacks(selection_of(stream.fold(), frozenset({0})))
    assert (one.count, one.target, one.targets_vary) == (1, "/a", False)
    assert one.frames == both.frames


def test_no_more_stacks_are_listed_than_lists_hold_and_all_add_up() -> None:
    stream = Stream()
    rows = tuple(row(key, 20 + key, frames=(key,)) for key in range(LISTED + 50))
    stream.add(Frames(rows=tuple(replace(FRAMES.rows[0], key=each.key, offset=each.key) for each in rows[:75])))
    stream.add(Frames(rows=tuple(replace(FRAMES.rows[0], key=each.key, offset=each.key) for each in rows[75:])))
    stream.add(Stacks(rows=rows[:75]), Stacks(rows=rows[75:]))
    stream.add(Totals(rows=(totals_row("files.fsync", count=LISTED + 60, slow=LISTED + 60),)))
    found = stacks(selection_of(stream.fold()))
    assert len(found) == LISTED + 1
    assert sum(stack.count for stack in found) == LISTED + 60


def test_a_frame_that_did_not_arrive_has_no_name() -> None:
    stream = Stream()
    stream.add(Stacks(rows=(row(0, 20, frames=(99,)),)))
    (only,) = stacks(selection_of(stream.fold()))
    assert [(frame.symbol, frame.module) for frame in only.frames] == [(None, "[unknown]")]


@pytest.mark.parametrize("buckets", [(BUCKETS, 1), (1, 2, 3)])
def test_a_histogram_that_is_none_costs_the_percentiles_alone(buckets: tuple[int, ...]) -> None:
    stream = Stream()
    stream.add(FRAMES, Stacks(rows=(replace(row(0, 20, 40), buckets=buckets),)))
    (only,) = stacks(selection_of(stream.fold()))
    assert (only.count, only.latency.avg_ns, only.latency.max_ns, only.latency.p50_ns) == (2, 30 * MS, 40 * MS, 0)


def test_functions_add_up_to_all_samples() -> None:
    stream = Stream()
    stream.add(*stack_records(), Totals(rows=(totals_row("cpu.run", count=1_300),)))
    functions = cpu(selection_of(stream.fold())).top_functions
    assert [(each.symbol, each.module, each.samples) for each in functions] == [
        ("shop::price(shop::cart const&)", "/srv/shop/orders", 700), (None, "[kernel]", 400), (OTHER, OTHER, 200),
    ]  # fmt: skip
    assert sum(each.share_ratio for each in functions) == 1


def test_functions_ahead_of_the_totals_share_what_they_have() -> None:
    stream = Stream()
    rows = (CpuFunctionRow(scope=0, frame=0, samples=30), CpuFunctionRow(scope=0, frame=1, samples=10))
    stream.add(FRAMES, CpuFunctions(rows=rows), Totals(rows=(totals_row("cpu.run", count=25),)))
    functions = cpu(selection_of(stream.fold())).top_functions
    assert [(each.symbol, each.share_ratio) for each in functions] == [("fsync", 0.75), ("flush", 0.25)]


def test_a_later_row_holds_all_of_the_earlier_one() -> None:
    stream = Stream()
    early = row(0, 20)
    stream.add(FRAMES, Stacks(rows=(early,)), Stacks(rows=(replace(early, count=5, total_ns=200 * MS),)))
    (only,) = stacks(selection_of(stream.fold()))
    assert (only.count, only.latency.avg_ns) == (5, 40 * MS)
