"""Records to lines and back; lines that are no records."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.wire.codec import (
    Line,
    LineTooLongError,
    Noise,
    UnknownKind,
    clean_text,
    decode,
    encode,
    split_rows,
)
from kubectl_podtrace.wire.fields import CUT_MARK, MAX_LINE, MAX_TEXT
from kubectl_podtrace.wire.file_records import FileRow, Files
from kubectl_podtrace.wire.records import Notice, Record, Totals, type_of_kind
from tests.unit.streams import HEADER, totals_row
from tests.unit.wire.record_strategies import of_type

KINDS = sorted(type_of_kind)
any_record = st.sampled_from(KINDS).flatmap(lambda kind: of_type(type_of_kind[kind]))
place = {"seq": st.integers(0, 2**64 - 1), "at_ns": st.integers(0, 2**64 - 1)}


def line_of(record: Record) -> Line:
    return Line(seq=7, at_ns=8, record=record)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_every_record_comes_back_as_it_was_written(kind: str, data: st.DataObject) -> None:
    record = data.draw(of_type(type_of_kind[kind]))
    line = Line(seq=data.draw(place["seq"]), at_ns=data.draw(place["at_ns"]), record=record)
    try:
        written = encode(line)
    except LineTooLongError:
        return
    assert decode(written) == line
    assert decode(written.rstrip(b"\n")) == line


@given(any_record)
def test_a_written_line_is_ascii_and_one_line(record: Record) -> None:
    try:
        written = encode(line_of(record))
    except LineTooLongError:
        return
    assert written.isascii()
    assert written.count(b"\n") == 1
    assert written.endswith(b"\n")
    assert len(written) <= MAX_LINE


@given(st.binary(max_size=300))
def test_any_bytes_decode_to_something_and_never_raise(data: bytes) -> None:
    assert isinstance(decode(data), Line | UnknownKind | Noise)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(record=any_record, key=st.integers(0, 30), value=json_values)
def test_a_record_with_one_field_replaced_by_anything_never_raises(record: Record, key: int, value: Any) -> None:
    try:
        body = json.loads(encode(line_of(record)))
    except LineTooLongError:
        return
    body[sorted(body)[key % len(body)]] = value
    assert isinstance(decode(json.dumps(body).encode()), Line | UnknownKind | Noise)


@given(record=any_record, cut=st.integers(0, MAX_LINE))
def test_a_line_that_is_cut_in_half_is_noise(record: Record, cut: int) -> None:
    try:
        written = encode(line_of(record)).rstrip(b"\n")
    except LineTooLongError:
        return
    assert isinstance(decode(written[: cut % len(written)]), Noise)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"hello\n", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[" * 7_000, "not JSON"),
        (b"[]", "not an object"),
        (b"17", "not an object"),
        (b"{}", "no kind"),
        (b'{"kind":7,"seq":1,"at_ns":1}', "no kind"),
        (b'{"kind":"notice","seq":-1,"at_ns":1,"slug":"a","text":"b"}', "a number out of range"),
        (b'{"kind":"notice","seq":1.5,"at_ns":1,"slug":"a","text":"b"}', "a number out of range"),
        (b'{"kind":"notice","seq":true,"at_ns":1,"slug":"a","text":"b"}', "a number out of range"),
        (b'{"kind":"notice","seq":1,"at_ns":1,"slug":"a"}', "Notice: no text"),
        (b'{"kind":"totals","seq":1,"at_ns":1,"rows":[[0]]}', "TotalsRow: not a row"),
        (b'{"kind":"totals","seq":1,"at_ns":1,"rows":{}}', "not a list"),
        (b'{"kind":"errors","seq":1,"at_ns":1,"rows":[[0,"files.teleport",2,1]]}', "an unknown word"),
        (b"{" + b" " * MAX_LINE + b"}", "too long"),
    ],
)
def test_what_is_no_record_is_noise_with_its_reason(data: bytes, reason: str) -> None:
    assert decode(data) == Noise(reason=reason)


def test_a_reason_never_repeats_the_lines_own_text() -> None:
    line = b'{"kind":"notice","seq":1,"at_ns":1,"slug":"\\u001b[31mevil","text":5}'
    assert decode(line) == Noise(reason="text out of bounds")


def test_a_line_of_a_kind_that_is_not_known_keeps_its_place() -> None:
    line = b'{"kind":"weather_of_tomorrow_and_the_day_after","seq":9,"at_ns":1,"sun":true}'
    assert decode(line) == UnknownKind(seq=9, kind="weather_of_tomorrow_and_the_day_"[:32])


def test_fields_that_a_newer_tracer_added_are_ignored() -> None:
    body = json.loads(encode(line_of(Notice(slug="a", text="b"))))
    assert decode(json.dumps({**body, "mood": "fine"}).encode()) == line_of(Notice(slug="a", text="b"))


def test_a_newer_tracers_longer_row_is_read_as_far_as_it_is_known() -> None:
    line = line_of(Totals(rows=(totals_row("files.read", count=3),)))
    body = json.loads(encode(line))
    body["rows"][0].append(17)
    assert decode(json.dumps(body).encode()) == line


def test_control_characters_in_a_name_survive_the_line_without_breaking_it() -> None:
    notice = line_of(Notice(slug="a", text="one\ntwo\r\x1b[2J\u202e\0"))
    assert decode(encode(notice)) == notice


def test_a_lone_surrogate_becomes_text_that_can_be_written() -> None:
    decoded = decode(b'{"kind":"notice","seq":1,"at_ns":1,"slug":"a","text":"\\ud800"}')
    assert isinstance(decoded, Line)
    assert isinstance(decoded.record, Notice)
    assert decoded.record.text.encode() == rb"\ud800"


def test_a_record_beyond_the_longest_line_is_refused() -> None:
    with pytest.raises(LineTooLongError, match="notice"):
        encode(line_of(Notice(slug="a", text="\x01" * 1_400)))


@pytest.mark.parametrize("raw", [b"", b"plain", b"\xff\xfe", "Grüße".encode(), b"a" * MAX_TEXT])
def test_a_name_that_fits_is_kept_whole(raw: bytes) -> None:
    assert clean_text(raw) == raw.decode("utf-8", "backslashreplace")


@given(st.binary(max_size=3 * MAX_TEXT))
def test_a_cleaned_name_always_fits_and_says_when_it_was_cut(raw: bytes) -> None:
    text = clean_text(raw)
    assert len(text) <= MAX_TEXT
    if len(raw) > MAX_TEXT:
        assert text.endswith(CUT_MARK)


@given(st.lists(of_type(FileRow), max_size=60))
def test_split_rows_loses_no_row_and_every_part_fits_on_a_line(rows: list[FileRow]) -> None:
    parts = list(split_rows(Files, rows))
    assert [row for part in parts if isinstance(part, Files) for row in part.rows] == rows
    for part in parts:
        assert len(encode(Line(seq=2**64 - 1, at_ns=2**64 - 1, record=part))) <= MAX_LINE


def test_a_header_is_at_most_two_kilobytes() -> None:
    assert len(encode(line_of(replace(HEADER, started_ns=2**63)))) <= 2_000
