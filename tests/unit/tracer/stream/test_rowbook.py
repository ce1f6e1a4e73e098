from __future__ import annotations

from dataclasses import dataclass, replace

from podtrace_tracer.readers.model import TOP
from podtrace_tracer.stream.rowbook import RowBook


@dataclass(frozen=True)
class Row:
    count: int
    bytes: int = 0


def a_book() -> RowBook:
    return RowBook(lambda row: row.count, lambda row: row.bytes)


def test_rows_travel_when_they_are_new_and_when_they_changed() -> None:
    book, rows = a_book(), {"a": Row(1), "b": Row(2)}
    assert book.changed(rows) == [Row(2), Row(1)]
    assert book.changed(rows) == []
    rows["a"] = Row(3)
    assert book.changed(rows) == [Row(3)]


def test_the_top_rows_of_each_order_travel_and_no_others() -> None:
    many = {key: Row(1000 + key) for key in range(TOP)}
    heavy = {-key: Row(0, bytes=key) for key in range(1, TOP + 5)}
    sent = a_book().changed({**many, **heavy})
    assert set(sent) == set(many.values()) | {Row(0, bytes=key) for key in range(5, TOP + 5)}
    assert len(sent) == 2 * TOP


def test_a_row_that_comes_back_among_the_top_ones_travels_again() -> None:
    book = RowBook(lambda row: row.count)
    rows: dict[int, Row] = {key: Row(10) for key in range(TOP)}
    book.changed(rows)
    pushed = {key: replace(row, count=20) for key, row in rows.items() if key} | {TOP: Row(20)}
    book.changed({**rows, **pushed})
    assert book.changed({**rows, **pushed, 0: Row(30)}) == [Row(30)]


def test_what_was_sent_travels_again_once_it_is_forgotten() -> None:
    book, rows = a_book(), {"a": Row(1)}
    book.changed(rows)
    book.forget()
    assert book.changed(rows) == [Row(1)]


def test_all_rows_are_ordered_by_the_first_order() -> None:
    rows = [Row(1, bytes=9), Row(3), Row(2)]
    assert a_book().ordered(rows) == [Row(3), Row(2), Row(1, bytes=9)]
