from __future__ import annotations

from dataclasses import dataclass

from podtrace_tracer.readers.ended_rows import EndedRows


@dataclass(frozen=True)
class Row:
    count: int


def rows(*counts: int) -> dict[bytes, Row]:
    return {bytes([count]): Row(count) for count in counts}


def test_as_many_as_there_is_room_for_are_kept_and_none_is_lost() -> None:
    ended = EndedRows(lambda row: row.count, most=20)
    ended.keep(rows(*range(20)))
    ended.keep({bytes([3]): Row(99)})
    assert ended.rows == rows(*range(20)) | {bytes([3]): Row(99)}
    assert ended.dropped("cpu", "they are in the totals") == ()


def test_of_too_many_the_idlest_are_let_go_with_a_tenth_more_and_all_of_them_are_counted() -> None:
    ended = EndedRows(lambda row: row.count, most=20)
    ended.keep(rows(*reversed(range(21))))
    assert ended.rows == rows(*range(3, 21))
    ended.keep(rows(*range(100, 104)))
    assert ended.rows == rows(*range(7, 21), *range(100, 104))
    (dropped,) = ended.dropped("cpu", "they are in the totals")
    assert dropped.source == "ended processes beyond 20: they are in the totals"
    assert (dropped.topic, dropped.count) == ("cpu", 7)
