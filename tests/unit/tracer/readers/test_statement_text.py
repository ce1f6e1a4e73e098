from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtrace_tracer.readers.statement_text import LONGEST, statement_text


@pytest.mark.parametrize(
    ("stripped", "text"),
    [
        ("select  ? ,?\n from t ;", "select ?, ? from t"),
        ("a in ( ?,?, ? )", "a in (?, ...)"),
        ("a IN (?)", "a IN (?, ...)"),
        ("a in ($1,$2)", "a in (?, ...)"),
        ("values (?,?),(?,?), (?,?)", "values (?, ...), ..."),
        ("values (?),(?)", "values (?), ..."),
        ("select E?, x?, _utf8mb4?, U&?, be?", "select ?, ?, ?, ?, be?"),
        ("a = -? + -? where b between - ? and +?", "a = ? + ? where b between ? and ?"),
        ("a - ?", "a - ?"),
        ("f(?)", "f(?)"),
    ],
)
def test_statements_that_differ_by_values_only_have_the_same_text(stripped: str, text: str) -> None:
    assert statement_text(stripped.encode(), is_cut=False) == text


def test_a_text_that_was_cut_off_says_so_and_so_does_the_list_at_its_end() -> None:
    assert statement_text(b"select a", is_cut=True) == "select a…"
    assert statement_text(b"a in (?, ?, ?", is_cut=True) == "a in (?, ...…"


@given(st.binary(max_size=1_100), st.booleans())
def test_a_text_has_its_place_on_a_line_and_stays_the_same(stripped: bytes, is_cut: bool) -> None:
    text = statement_text(stripped, is_cut=is_cut)
    assert len(json.dumps(text)) <= LONGEST
    assert text == statement_text(stripped, is_cut=is_cut)
