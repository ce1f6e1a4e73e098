"""Statements' numbers, against what was put into the stream."""

from __future__ import annotations

from kubectl_podtrace.analysis.queries import Query, QueryLibrary, queries, query_libraries
from kubectl_podtrace.wire.query_records import ClientLibraries, Queries, QueryRow
from kubectl_podtrace.wire.records import Totals
from tests.unit.analysis.selections import selection_of
from tests.unit.query_streams import library_row, query_row
from tests.unit.streams import Stream, timed

MILLISECOND = 1_000_000


def found(*rows: QueryRow, **totals: list[int]) -> tuple[Query, ...] | None:
    stream = Stream()
    for protocol, durations in totals.items():
        row, histogram = timed(f"queries.{protocol}", durations, errors=3)
        stream.add(Totals(rows=(row,)), histogram)
    stream.add(Queries(rows=rows))
    return queries(selection_of(stream.fold()))


def test_those_that_took_most_time_come_first_with_their_errors_and_durations() -> None:
    quick, slow = [MILLISECOND] * 7, [MILLISECOND * 20, MILLISECOND * 40]
    section = found(
        query_row("select quick", quick, key=1),
        query_row("select slow", slow, key=2, errors=1),
        postgresql=[*quick, *slow],
    )
    assert section is not None
    assert [(each.statement, each.count, each.errors) for each in section] == [
        ("select slow", 2, 1), ("select quick", 7, 0),
    ]  # fmt: skip
    assert (section[0].latency.avg_ns, section[0].latency.max_ns) == (30 * MILLISECOND, 40 * MILLISECOND)


def test_the_same_statement_of_two_containers_is_added_up_and_of_two_protocols_is_not() -> None:
    section = found(
        query_row("select ?", [MILLISECOND] * 3, key=1),
        query_row("select ?", [MILLISECOND] * 5, key=2, scope=1),
        query_row("select ?", [MILLISECOND] * 2, key=3, protocol="mysql"),
        postgresql=[MILLISECOND] * 8,
        mysql=[MILLISECOND] * 2,
    )
    assert section is not None
    assert [(each.protocol, each.count) for each in section] == [("postgresql", 8), ("mysql", 2)]


def test_what_is_not_listed_is_in_the_rest_of_its_protocol() -> None:
    section = found(
        query_row("select ?", [MILLISECOND] * 3, key=1, errors=1),
        postgresql=[MILLISECOND] * 10,
        mysql=[MILLISECOND] * 4,
    )
    assert section is not None
    assert [(each.protocol, each.statement, each.count, each.errors) for each in section] == [
        ("postgresql", "select ?", 3, 1), ("postgresql", "(other)", 7, 2), ("mysql", "(other)", 4, 3),
    ]  # fmt: skip


def test_without_a_library_in_use_nothing_could_be_seen() -> None:
    assert found() is None
    stream = Stream()
    stream.add(ClientLibraries(rows=(library_row("/lib/libpq.so.5"),)))
    assert queries(selection_of(stream.fold())) is None


def test_with_a_library_in_use_there_were_none() -> None:
    stream = Stream()
    stream.add(ClientLibraries(rows=(library_row("/lib/libpq.so.5", processes=1),)))
    assert queries(selection_of(stream.fold())) == ()


def test_a_library_without_probes_says_why() -> None:
    stream = Stream()
    broken = library_row("/lib/libpq.so.5", processes=3, reason="not an ELF file of 64 bits")
    stream.add(ClientLibraries(rows=(library_row("/lib/libmariadb.so.3", protocol="mysql"), broken)))
    assert query_libraries(selection_of(stream.fold())) == (
        QueryLibrary(
            path="/lib/libpq.so.5", protocol="postgresql", processes=3, attached=False,
            reason="not an ELF file of 64 bits",
        ),
        QueryLibrary(path="/lib/libmariadb.so.3", protocol="mysql", processes=0, attached=True, reason=""),
    )  # fmt: skip
    assert queries(selection_of(stream.fold())) is None
