from __future__ import annotations

from dataclasses import replace
from typing import Any

from podtrace_tracer.readers.suspects import Suspects
from tests.unit.streams import SECOND, STARTED, table_row

KEY = (40, 6)
ROW = table_row(first_socket=3, socket=3, first_file=9, file=9)


def look(suspects: Suspects, at_s: float, **now: Any) -> frozenset[str]:
    return suspects.look(KEY, replace(ROW, **now), STARTED + round(at_s * SECOND))


def test_a_kind_is_suspected_once_two_readings_had_more_of_it_than_ever_before() -> None:
    suspects = Suspects()
    assert [look(suspects, at, socket=now, file=8) for at, now in ((5, 4), (10, 4), (15, 3), (20, 5), (25, 5))] == [
        frozenset(), frozenset(), frozenset(), {"socket"}, {"socket"},
    ]  # fmt: skip


def test_several_kinds_can_be_suspected_at_once() -> None:
    suspects = Suspects()
    look(suspects, 5, socket=4, file=10)
    assert look(suspects, 10, socket=5, file=11) == {"socket", "file"}


def test_a_kind_that_no_longer_grows_is_not_suspected_until_it_grows_again() -> None:
    suspects = Suspects()
    look(suspects, 5, socket=4)
    found = {at: look(suspects, at, socket=5) for at in (10, 30, 31)}
    assert found == {10: {"socket"}, 30: {"socket"}, 31: frozenset()}
    assert look(suspects, 35, socket=6) == {"socket"}


def test_another_program_in_a_process_begins_anew() -> None:
    suspects = Suspects()
    look(suspects, 5, socket=4)
    assert look(suspects, 10, socket=5, since_ns=STARTED + 7 * SECOND) == frozenset()
    assert look(suspects, 15, socket=6, since_ns=STARTED + 7 * SECOND) == {"socket"}


def test_processes_that_have_gone_are_forgotten() -> None:
    suspects = Suspects()
    look(suspects, 5, socket=4)
    suspects.keep([])
    assert look(suspects, 10, socket=5) == frozenset()
