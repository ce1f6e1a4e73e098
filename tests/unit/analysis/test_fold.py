"""Folding a stream: sequence, cumulative values, and lines that should not be there."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_podtrace.analysis.fold import RECENT_EVENTS, Fold
from kubectl_podtrace.analysis.tables import KEYED
from kubectl_podtrace.errors import IncompatibleTracerError
from kubectl_podtrace.wire.codec import Line, Noise, UnknownKind, encode
from kubectl_podtrace.wire.file_records import FileRow, Files
from kubectl_podtrace.wire.records import (
    Errors,
    Event,
    Histogram,
    Notice,
    Processes,
    Record,
    Refusal,
    Totals,
    Trailer,
)
from tests.unit.every_kind import every_kind_stream
from tests.unit.shop import shop_stream
from tests.unit.streams import HEADER, HEARTBEAT, SECOND, STARTED, Stream, error_rows, folded, timed, totals_row


def line(number: int, record: Record, at_s: float = 1) -> bytes:
    """The so-many-th line of a stream, counted from 1."""
    return encode(Line(seq=number - 1, at_ns=STARTED + round(at_s * SECOND), record=record))


def reads(count: int, **counters: int) -> Totals:
    return Totals(rows=(totals_row("files.read", count=count, **counters),))


def count_of(fold: Fold, operation: str = "files.read", scope: int = 0) -> int:
    return fold.state().totals[scope, operation].count


def test_the_newest_cumulative_value_holds() -> None:
    fold = folded([line(1, HEADER, 0), line(2, reads(5)), line(3, reads(17), 2)])
    assert count_of(fold) == 17
    assert fold.gaps == ()


def test_a_line_that_comes_twice_is_counted_and_changes_nothing() -> None:
    lines = shop_stream().lines
    once, twice = folded(lines), folded([*lines, *lines, lines[3]])
    assert twice.state() == once.state()
    assert twice.duplicates == len(lines) + 1
    assert twice.gaps == ()
    assert twice.broken_rows == 0


def test_missing_lines_are_counted_and_dated_by_the_line_before_them() -> None:
    fold = folded([line(1, HEADER, 0), line(2, reads(1), 3), line(7, reads(9), 8)])
    assert [(gap.lines, gap.at_ns) for gap in fold.gaps] == [(4, STARTED + 3 * SECOND)]
    assert count_of(fold) == 9


def test_a_late_line_closes_its_gap_and_does_not_turn_back_the_clock() -> None:
    fold = folded([line(1, HEADER, 0), line(2, reads(1)), line(5, reads(9), 4), line(4, reads(6), 3)])
    assert count_of(fold) == 9
    assert [gap.lines for gap in fold.gaps] == [1]
    fold.feed(line(3, reads(3), 2))
    assert fold.gaps == ()
    assert fold.broken_rows == 0


def test_a_late_line_of_a_key_that_nothing_else_told_counts() -> None:
    late = Totals(rows=(totals_row("files.fsync", count=4),))
    fold = folded([line(1, HEADER, 0), line(3, reads(9), 4), line(2, late, 3)])
    assert count_of(fold, "files.fsync") == 4


def test_lines_before_the_header_are_a_gap_that_the_header_dates() -> None:
    fold = folded([line(3, reads(1)), line(4, HEADER), line(5, reads(7))])
    assert fold.early_lines == 1
    assert [gap.lines for gap in fold.gaps] == [3]
    assert count_of(fold) == 7


def test_a_counter_that_falls_is_ignored_and_counted() -> None:
    fold = folded([line(1, HEADER, 0), line(2, reads(17)), line(3, reads(5), 2)])
    assert count_of(fold) == 17
    assert fold.broken_rows == 1


def test_a_histogram_that_falls_or_is_none_is_ignored_and_counted() -> None:
    _, histogram = timed("files.read", [1_000, 1_000, 5_000])
    broken = (
        replace(histogram, buckets=(histogram.buckets[0], 1)),
        replace(histogram, buckets=(576, 1)),
        replace(histogram, buckets=(1, 2, 3)),
    )
    fold = folded([line(1, HEADER, 0), line(2, histogram), *(line(3 + n, item) for n, item in enumerate(broken))])
    assert sum(fold.state().histograms[0, "files.read"].values()) == 3
    assert fold.broken_rows == 3


def test_the_parts_of_a_split_histogram_add_up() -> None:
    parts = [Histogram(scope=0, operation="files.read", buckets=buckets) for buckets in ((1, 5, 2, 7), (30, 11))]
    fold = folded([line(1, HEADER, 0), *(line(2 + n, part) for n, part in enumerate(parts))])
    assert fold.state().histograms[0, "files.read"] == {1: 5, 2: 7, 30: 11}


@pytest.mark.parametrize("data", [b"", b"{}", b"exec format error\n", b"\x1b[2J", b"\0" * 100, b"x" * 9_000])
def test_a_line_that_is_no_record_is_noise(data: bytes) -> None:
    stream = shop_stream()
    middle = len(stream.lines) // 2
    fold = folded([*stream.lines[:middle], data, *stream.lines[middle:]])
    assert fold.noise_lines == 1
    assert fold.state() == stream.fold().state()


def test_a_line_that_was_cut_in_half_is_noise_and_a_gap() -> None:
    stream = shop_stream()
    number = next(number for number, data in enumerate(stream.lines) if b'"connections.attempt"' in data)
    cut = [*stream.lines]
    cut[number] = cut[number][: len(cut[number]) // 2]
    fold = folded(cut)
    assert isinstance(Fold().feed(cut[number]), Noise)
    assert (fold.noise_lines, sum(gap.lines for gap in fold.gaps)) == (1, 1)
    assert fold.state() == stream.fold().state()


def test_a_kind_of_a_newer_tracer_has_its_place_in_the_sequence() -> None:
    newer = b'{"kind":"aurora","seq":1,"at_ns":5}'
    fold = folded([line(1, HEADER, 0), newer, line(3, reads(1))])
    assert isinstance(Fold().feed(newer), UnknownKind)
    assert (fold.unknown_lines, fold.gaps) == (1, ())


def test_another_wire_version_is_a_clear_error() -> None:
    with pytest.raises(IncompatibleTracerError) as caught:
        Fold().feed(line(1, replace(HEADER, wire_version=99, tracer_version="9.\x1b[31m9")))
    assert "stream version 99" in caught.value.message
    assert "\x1b" not in caught.value.message
    assert caught.value.hint


def test_a_refusal_is_taken_even_before_a_header() -> None:
    refusal = Refusal(slug="kernel", text="this kernel has no BTF", hint="use a kernel with CONFIG_DEBUG_INFO_BTF")
    assert folded([line(1, refusal)]).refusal == refusal


def test_every_kind_of_record_is_taken_in() -> None:
    fold = every_kind_stream().fold()
    assert fold.header is not None
    assert fold.trailer is not None
    assert fold.refusal is not None
    assert fold.existing is not None
    assert len(fold.recent_events) == 1
    state = fold.state()
    assert set(state.tables) == set(KEYED)
    assert all((state.totals, state.histograms, state.errors, fold.scopes, fold.probes, fold.notices))
    assert all(state.tables.values())
    assert (fold.trailer_mismatches, fold.noise_lines, fold.broken_rows) == (0, 0, 0)


def test_the_trailer_ends_the_trace_and_the_newest_line_ends_one_without() -> None:
    assert shop_stream().fold().ended_ns == STARTED + 30 * SECOND
    assert shop_stream(trailer=False).fold().ended_ns == STARTED + round(29.95 * SECOND)


def test_the_trailers_totals_tell_that_a_counter_is_behind() -> None:
    stream = Stream()
    stream.add(reads(5))
    stream.add(reads(17))
    stream.end(2)
    assert stream.fold().trailer_mismatches == 0
    fold = folded([data for number, data in enumerate(stream.lines) if number != 3])
    assert fold.trailer_mismatches == 1


@pytest.mark.parametrize(("counts", "mismatches"), [((5, 17), 0), ((5, 16), 1), ((5,), 1)])
def test_a_trailer_may_add_up_its_totals_over_scopes(counts: tuple[int, ...], mismatches: int) -> None:
    rows = tuple(totals_row("files.read", scope=scope, count=count) for scope, count in enumerate(counts))
    trailer = Trailer(
        ended_ns=STARTED,
        reason="duration",
        heartbeat=HEARTBEAT,
        totals=(totals_row("files.read", count=22), totals_row("files.write")),
    )
    fold = folded([line(1, HEADER, 0), line(2, Totals(rows=rows)), line(3, trailer, 2)])
    assert fold.trailer_mismatches == mismatches


def test_memory_stays_bounded_whatever_the_keys() -> None:
    fold = folded([line(1, HEADER, 0)])
    for batch in range(300):
        rows = tuple(
            FileRow(scope=0, key=batch * 70 + number, path="/", operations=1, bytes=0, slow=0, total_ns=0, opened=0)
            for number in range(70)
        )
        fold.feed(line(2 + batch, Files(rows=rows)))
    assert len(fold.state().tables[Files]) == 20_000
    assert fold.left_out_rows == 300 * 70 - 20_000


def test_only_the_newest_single_events_are_kept() -> None:
    event = Event(
        scope=0, operation="files.open", pid=1, node_pid=1, comm="a", start_ns=0, duration_ns=0, errno=0, signal=0,
        result=0, slow=False, name="", address="", port=0,
    )  # fmt: skip
    lines = [line(2 + n, replace(event, result=n)) for n in range(RECENT_EVENTS + 3)]
    fold = folded([line(1, HEADER, 0), *lines])
    assert [event.result for event in fold.recent_events] == list(range(3, RECENT_EVENTS + 3))


def test_thousands_of_gaps_stay_bounded_and_all_their_lines_are_counted() -> None:
    lines = [line(1 + 3 * n, Notice(slug="a", text="b"), n) for n in range(1, 1_500)]
    fold = folded([line(1, HEADER, 0), *lines])
    assert sum(gap.lines for gap in fold.gaps) == 2 * 1_499
    assert len(fold.gaps) <= 1_001


def test_the_states_of_the_newest_seconds_are_kept() -> None:
    fold = shop_stream().fold()
    assert [state.at_ns for state in fold.states] == [STARTED + second * SECOND for second in range(24, 30)]


@cache
def whole_stream() -> tuple[tuple[bytes, ...], Fold]:
    """The shop's lines, and what all of them tell."""
    stream = shop_stream()
    return tuple(stream.lines), stream.fold()


@settings(max_examples=40)
@given(random=st.randoms(use_true_random=False), repeated=st.lists(st.integers(2, 40), max_size=10))
def test_lines_that_change_places_or_come_twice_give_the_same_numbers(random: Random, repeated: list[int]) -> None:
    lines, expected = whole_stream()
    body = [*lines[2:], *(lines[number] for number in repeated)]
    # A reconnect mixes what lies close together.
    keys = {position: position + random.uniform(0, 9) for position in range(len(body))}
    mixed = [body[position] for position in sorted(keys, key=lambda position: keys[position])]
    fold = folded([*lines[:2], *mixed])
    assert replace(fold.state(), at_ns=0) == replace(expected.state(), at_ns=0)
    assert fold.gaps == ()
    assert (fold.duplicates, fold.broken_rows) == (len(repeated), 0)


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=80), max_size=20))
def test_any_bytes_between_the_lines_change_no_number(garbage: list[bytes]) -> None:
    lines, expected = whole_stream()
    fold = folded([*lines[:9], *garbage, *lines[9:]])
    assert fold.state() == expected.state()
    assert fold.noise_lines == len(garbage)


def test_lists_and_histograms_are_dated_and_what_comes_with_the_totals_is_not() -> None:
    stream = Stream()
    row, histogram = timed("files.read", [1_000])
    stream.add(Totals(rows=(row,)), Errors(rows=error_rows("files.read", {5: 1})), at_s=1)
    assert stream.fold().detailed_ns == 0
    stream.add(histogram, at_s=2)
    assert stream.fold().detailed_ns == STARTED + 2 * SECOND
    stream.add(Processes(rows=()), at_s=3)
    stream.add(Totals(rows=(row,)), at_s=4)
    assert stream.fold().detailed_ns == STARTED + 3 * SECOND
