"""Descriptors: growth, leaks, and how long until a limit is reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubectl_podtrace.analysis.climbs import Climbs
from kubectl_podtrace.analysis.descriptors import Descriptors, Leak, descriptors
from kubectl_podtrace.analysis.selection import select
from kubectl_podtrace.wire.descriptor_records import (
    DescriptorOpenerRow,
    DescriptorOpeners,
    DescriptorTableRow,
    DescriptorTables,
)
from kubectl_podtrace.wire.stack_records import FrameRow, Frames
from tests.unit.streams import SECOND, STARTED, Stream, opener_row, table_row

ROW = table_row(pid=12, comm="worker", first_socket=20, socket=20, first_file=4, file=4, limit=120)


def read(rows: list[tuple[float, DescriptorTableRow]], *, end_s: float = 60) -> Descriptors:
    """The section of a trace in which these rows were read."""
    stream = Stream()
    for at_s, row in rows:
        stream.add(DescriptorTables(rows=(row,)), at_s=at_s)
    stream.end(end_s)
    fold = stream.fold()
    selection = select(fold.state(), None, start_ns=fold.started_ns, end_ns=fold.ended_ns, climbs=fold.climbs)
    return descriptors(selection)


def sockets(*values: tuple[float, int]) -> list[tuple[float, DescriptorTableRow]]:
    return [(at_s, replace(ROW, socket=value)) for at_s, value in values]


def test_what_grows_over_three_windows_leaks_and_tells_when_the_limit_is_reached() -> None:
    section = read(sockets((5, 30), (10, 35), (15, 50)), end_s=15)
    assert section.leaks is not None
    (leak,) = section.leaks
    assert (leak.pid, leak.comm, leak.kind, leak.growth, leak.open, leak.limit) == (12, "worker", "socket", 30, 54, 120)
    assert leak.exhausted_in_s == pytest.approx((120 - 54) / (30 / 15))
    assert section.by_kind is not None
    assert (section.by_kind.socket.growth, section.by_kind.file.growth) == (30, 0)


@pytest.mark.parametrize(
    "values",
    [
        ((5, 30), (10, 40)),  # two windows
        ((5, 30), (6, 31), (7, 32), (9, 33)),  # the same window
        ((5, 30), (10, 35), (15, 50), (20, 20)),  # all closed again
        ((5, 30), (10, 35), (15, 50), (20, 34)),  # most of them
        ((5, 30), (10, 15), (15, 30), (20, 15), (25, 30), (59, 30)),  # to and fro
        ((5, 19), (10, 18), (15, 17)),
    ],
)
def test_what_does_not_climb_in_three_windows_or_falls_back_is_no_leak(values: tuple[tuple[float, int], ...]) -> None:
    assert read(sockets(*values)).leaks == ()


def test_what_climbed_at_first_and_then_stands_still_is_no_leak() -> None:
    warm_up = sockets((5, 30), (10, 35), (15, 50))
    assert read(warm_up, end_s=300).leaks == ()
    assert len(read([*warm_up, *sockets((160, 51))], end_s=300).leaks or ()) == 1


def test_a_process_that_ended_leaks_nothing_and_has_no_growth() -> None:
    rows = sockets((5, 30), (10, 35), (15, 50))
    section = read([*rows, (16, replace(rows[-1][1], alive=False))], end_s=16)
    assert (section.leaks, section.fullest) == ((), ())
    assert section.by_kind is not None
    assert section.by_kind.socket.growth == 0


def test_a_program_that_a_process_executes_begins_its_climb_anew() -> None:
    again = replace(ROW, since_ns=STARTED + 12 * SECOND, first_socket=3, socket=9)
    section = read([*sockets((5, 30), (10, 35)), (15, again)], end_s=15)
    assert section.leaks == ()
    assert section.by_kind is not None
    assert section.by_kind.socket.growth == 6


def test_without_a_limit_or_with_shrinking_others_no_time_is_told() -> None:
    rows = sockets((5, 30), (10, 35), (15, 50))
    (leak,) = read([(at_s, replace(row, limit=0)) for at_s, row in rows], end_s=15).leaks or ()
    assert (leak.limit, leak.exhausted_in_s) == (None, None)
    shrinking = [(at_s, replace(row, first_file=90)) for at_s, row in rows]
    (leak,) = read(shrinking, end_s=15).leaks or ()
    assert (leak.limit, leak.exhausted_in_s) == (120, None)


def test_the_fullest_table_comes_first_and_is_never_fuller_than_full() -> None:
    over = table_row(pid=13, comm="over", socket=70, limit=64)
    unknown = table_row(pid=14, comm="unknown", socket=900, limit=0)
    section = read([(5, ROW), (5, over), (5, unknown)])
    assert [(table.comm, table.open, table.limit) for table in section.fullest] == [
        ("over", 70, 64),
        ("worker", 24, 120),
    ]
    assert [table.share_ratio for table in section.fullest] == [1, pytest.approx(0.2)]


def test_without_tables_growth_and_leaks_are_not_known() -> None:
    section = read([])
    assert (section.leaks, section.fullest) == (None, ())
    assert section.by_kind is not None
    assert section.by_kind.file.growth is None


def test_tables_whose_kinds_are_estimated_are_counted() -> None:
    assert read([(5, replace(ROW, sampled=17))]).estimated_tables == 1


def test_climbs_of_more_processes_than_there_is_room_for_are_not_kept() -> None:
    climbs = Climbs(capacity=1)
    climbs.add(ROW, STARTED, STARTED)
    other = replace(ROW, node_pid=99)
    climbs.add(other, STARTED, STARTED)
    assert climbs.of(ROW, "socket") is not None
    assert climbs.of(other, "socket") is None


FRAMES = Frames(
    rows=tuple(
        FrameRow(key=key, symbol=symbol, module=module, offset=0, source="", build_id="")
        for key, (symbol, module) in enumerate((("socket", "libc.so.6"), ("dial", "worker"), ("serve", "worker")))
    )
)


def leak_of(*openers: DescriptorOpenerRow) -> Leak:
    """The leak of a trace in which a process's sockets grow by 30, and these told who opened them."""
    stream = Stream()
    for at_s, row in sockets((5, 30), (10, 35), (15, 50)):
        stream.add(DescriptorTables(rows=(row,)), at_s=at_s)
    stream.add(DescriptorOpeners(rows=openers), FRAMES, at_s=15)
    stream.end(15)
    fold = stream.fold()
    selection = select(fold.state(), None, start_ns=fold.started_ns, end_ns=fold.ended_ns, climbs=fold.climbs)
    (leak,) = descriptors(selection).leaks or ()
    return leak


def test_a_leak_is_told_with_the_stack_whose_descriptors_stay_open() -> None:
    leak = leak_of(
        opener_row(key=0, open=9, older=1, frames=(0, 2)),
        opener_row(key=1, open=7, older=6, frames=(0, 1, 2)),
        opener_row(key=2, open=2, older=2),
        opener_row(key=3, frames=(1,)),
        opener_row(key=4, kind="file", open=3, frames=(1,)),
        opener_row(key=5, pid=13, open=3, frames=(1,)),
    )
    assert leak.stack is not None
    assert [frame.symbol for frame in leak.stack] == ["socket", "dial", "serve"]
    assert (leak.stack_open, leak.followed_open, leak.growth) == (7, 18, 30)
    (other,) = leak.other_stacks
    assert ([frame.symbol for frame in other.frames], other.open, other.older) == (["socket", "serve"], 9, 1)


def test_a_leak_whose_openers_are_not_known_has_no_stack() -> None:
    leak = leak_of(opener_row(open=2, older=2))
    assert (leak.stack, leak.stack_open, leak.followed_open, leak.other_stacks) == (None, 0, 2, ())
    leak = leak_of()
    assert (leak.stack, leak.followed_open) == (None, 0)
