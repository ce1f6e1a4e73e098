"""The section locks, against what was put into the stream."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.locks import LockHolder, locks
from kubectl_podtrace.analysis.selection import select
from kubectl_podtrace.analysis.tables import difference
from kubectl_podtrace.wire.lock_records import LockRow, Locks
from kubectl_podtrace.wire.records import Totals
from tests.unit.analysis.selections import selection_of
from tests.unit.lock_rows import lock_row
from tests.unit.shop import shop_stream
from tests.unit.streams import SECOND, STARTED, Stream, timed, totals_row


def numbered(number: int, *, held: bool = True) -> LockRow:
    """A word that was waited for so often, each time for so long."""
    return lock_row(address=number, waits=number, held=number if held else 0, sum_ns=number * number, max_ns=number)


def test_a_lock_stands_before_what_idle_threads_waited_for_and_names_who_held_it() -> None:
    section = locks(selection_of(shop_stream().fold()))
    assert (section.waits.count, section.contended.count, section.timeouts) == (103, 101, 1)
    lock, idle = section.hotspots
    assert (lock.kind, lock.address, lock.waiters, lock.max_waiters, lock.waits) == ("lock", "0x55d01000", 8, 7, 101)
    assert lock.holder is not None
    assert (lock.total_wait_ns, lock.max_wait_ns, lock.timeouts) == (9_000_000, 3_000_000, 0)
    assert [frame.symbol for frame in lock.stack] == [None, "shop::price(shop::cart const&)", "main"]
    assert lock.holder == LockHolder(
        tid=12, node_tid=40_012, comm="compactor", waits=67, total_wait_ns=8_000_000, stack=lock.holder.stack
    )
    assert [frame.symbol for frame in lock.holder.stack] == ["store::flush(store::journal&)", "main"]
    assert (idle.kind, idle.address, idle.waits, idle.timeouts) == ("other", "0x7f002000", 2, 1)
    assert sum(hotspot.total_wait_ns for hotspot in section.hotspots) == pytest.approx(
        section.waits.avg_ns * section.waits.count, rel=0.01
    )


def test_a_word_is_a_lock_when_more_than_half_of_its_waits_were_in_the_way_of_one() -> None:
    stream = Stream()
    rows = (lock_row(address=1, waits=4, held=2), lock_row(address=2, waits=4, held=3))
    stream.add(Locks(rows=rows), Totals(rows=(totals_row("cpu.lock", count=8, timed=8, sum_ns=18_000_000),)))
    found = {hotspot.address: hotspot.kind for hotspot in locks(selection_of(stream.fold())).hotspots}
    assert found == {"0x1": "other", "0x2": "lock"}


def test_a_word_whose_waits_nobody_in_the_target_ended_has_no_holder() -> None:
    stream = Stream()
    row = lock_row(waker_tid=0, waker_node_tid=0, waker_comm="", waker_waits=0, waker_ns=0)
    stream.add(Locks(rows=(row,)), Totals(rows=(totals_row("cpu.lock", count=101),)))
    (hotspot,) = locks(selection_of(stream.fold())).hotspots
    assert hotspot.holder is None


def test_the_list_adds_up_to_all_waits_with_an_exact_other() -> None:
    stream = Stream()
    rows = tuple(numbered(number, held=number % 2 == 0) for number in range(1, 151))
    stream.add(Locks(rows=rows[:70]), Locks(rows=rows[70:]))
    waits, waited_ns = sum(row.waits for row in rows) + 11, sum(row.sum_ns for row in rows) + 1_100
    timeouts = sum(row.timeouts for row in rows) + 3
    waited = totals_row("cpu.lock", count=waits, timed=waits, sum_ns=waited_ns)
    stream.add(Totals(rows=(waited, totals_row("locks.timeout", count=timeouts))))
    hotspots = locks(selection_of(stream.fold())).hotspots
    assert len(hotspots) == 101
    # All locks, then the longest of the others.
    assert [hotspot.address for hotspot in hotspots[:2]] == ["0x96", "0x94"]
    assert [hotspot.address for hotspot in hotspots[75:77]] == ["0x95", "0x93"]
    assert sum(hotspot.waits for hotspot in hotspots) == waits
    assert sum(hotspot.total_wait_ns for hotspot in hotspots) == waited_ns
    assert sum(hotspot.timeouts for hotspot in hotspots) == timeouts
    assert (hotspots[-1].address, hotspots[-1].holder) == ("(other)", None)


def test_a_window_has_its_own_waits() -> None:
    def state(seconds: int) -> Stream:
        stream = Stream()
        row, histogram = timed("cpu.lock", [1_000] * seconds)
        moving = lock_row(waits=seconds, held=seconds, sum_ns=1_000 * seconds)
        stream.add(Totals(rows=(row,)), histogram, Locks(rows=(moving, lock_row(address=5))))
        return stream

    change = difference(state(9).fold().state(), state(4).fold().state())
    section = locks(select(change, None, start_ns=STARTED + 4 * SECOND, end_ns=STARTED + 9 * SECOND))
    (hotspot,) = section.hotspots
    assert (section.waits.count, hotspot.waits, hotspot.total_wait_ns) == (5, 5, 5_000)


def test_where_nobody_waited_nothing_is_listed() -> None:
    section = locks(selection_of(Stream().fold()))
    assert (section.waits.count, section.contended.count, section.timeouts, section.hotspots) == (0, 0, 0, ())
