"""Statements without their literals: what is left of known ones, and that no literal of any statement is left."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtrace_tracer.readers.statement_automaton import MYSQL, POSTGRESQL, STATES, table, without_literals


@pytest.mark.parametrize(
    ("dialect", "text", "left"),
    [
        (POSTGRESQL, "select 1", "select ?"),
        (POSTGRESQL, "select 'it''s', \"a 1\" , t1.c2 from t1", 'select ?, "a 1" , t1.c2 from t1'),
        (POSTGRESQL, "select -1.5e-3+.5 - 0x1F", "select -?-?+.? - ?"),
        (POSTGRESQL, "where a=$1 and b = $22", "where a=$1 and b = $22"),
        (POSTGRESQL, "select E'a\\'b', e'\\\\', 'c'", "select E?, e?, ?"),
        (POSTGRESQL, "select $$a'b$c$$, 2", "select ?, ?"),
        (POSTGRESQL, "select $x$ a $x$, 'b'", "select ?"),
        (POSTGRESQL, "select 'a\\', 'b'", "select ?"),
        (POSTGRESQL, "a -- 'b\n c /* 'd */ e", "a  c  e"),
        (POSTGRESQL, "a /* b /* c */ 'd' */ e", "a "),
        (POSTGRESQL, "a /b - c->>'d' # e", "a /b - c->>? # e"),
        (POSTGRESQL, "like 'a'\n'b'", "like ? ?"),
        (MYSQL, 'select \'a\\\'b\', "c\\"d", "e""f", `g\'h`', "select ?, ?, ?, `g'h`"),
        (MYSQL, "a # 'b\n, 1 -- c\r d\n e", "a  , ?  e"),
        (MYSQL, "select 'caf\xe9\\'s', 'b'", "select ?"),
        (MYSQL, "select 'caf\xe9', 'b'", "select ?, ?"),
        (MYSQL, "a /* b /* 'c' */ d", "a  d"),
        (MYSQL, "select `a\0b`", "select `a b`"),
        (POSTGRESQL, 'select "a\0b"', 'select "a b"'),
        (MYSQL, "select x'1F', _utf8'a', $b$c", "select x?, _utf8?, $b$c"),
    ],
)
def test_a_statement_without_its_literals_is_what_it_should_be(dialect: int, text: str, left: str) -> None:
    assert without_literals(text.encode("latin-1"), dialect).decode("latin-1") == left


SECRET = "zqxj"
INSIDE = st.text(alphabet=st.sampled_from(list("a '\"\\$`-#/*?;,()\n0é")), max_size=6)


def _quoted(quote: str) -> st.SearchStrategy[str]:
    """A string with a secret in it as any client writes it: with quotes doubled."""
    return INSIDE.map(lambda text: quote + (text + SECRET + text).replace(quote, quote * 2) + quote)


def _escaped(quote: str) -> st.SearchStrategy[str]:
    def escape(text: str) -> str:
        return text.replace("\\", "\\\\").replace(quote, f"\\{quote}")

    return INSIDE.map(lambda text: quote + escape(text + SECRET + text) + quote)


CODE = st.sampled_from(
    [
        "select a1",
        "from t where b =",
        ", ",
        "(",
        ")",
        " and c in (",
        "\n",
        " -",
        "/",
        "$1",
        "t.x",
        ";",
        "<>",
        " || ",
        "==",
    ]
)
IDENTIFIERS = st.sampled_from(['"it\'s"', '"a"'])
COMMENTS = INSIDE.map(lambda text: f"/*{text.replace('*', '').replace('/', '')}{SECRET}*/") | INSIDE.map(
    lambda text: "--" + text.replace("\n", "") + SECRET + "\n"
)
NUMBERS = st.sampled_from(["7", "7.5", "-7", "7e7", "0x77"])
POSTGRESQL_LITERALS = st.one_of(
    _quoted("'"),
    _escaped("'").map(lambda text: f" E{text}"),
    INSIDE.map(lambda text: f"$${text.replace('$', '')}{SECRET}$$"),
    INSIDE.map(lambda text: f"$tag${text}{SECRET}$tag$"),
    COMMENTS,
    NUMBERS,
)
MYSQL_LITERALS = st.one_of(
    _escaped("'"),
    _escaped('"'),
    st.text(alphabet="ab ", max_size=3).map(lambda text: f"'{text}''{SECRET}'"),
    COMMENTS,
    NUMBERS,
)


def statements_of(literals: st.SearchStrategy[str], identifiers: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    # A space keeps parts apart that would be one token together.
    return st.lists(st.one_of(CODE, identifiers, literals), max_size=12).map(" ".join)


@given(statements_of(POSTGRESQL_LITERALS, IDENTIFIERS))
def test_no_literal_for_postgresql_is_left(text: str) -> None:
    left = without_literals(text.encode(), POSTGRESQL)
    assert SECRET.encode() not in left
    assert b"7" not in left


@given(statements_of(MYSQL_LITERALS, st.just("`it's`")))
def test_no_literal_for_mysql_is_left(text: str) -> None:
    left = without_literals(text.encode(), MYSQL)
    assert SECRET.encode() not in left
    assert b"7" not in left


@given(st.binary(max_size=200), st.sampled_from([POSTGRESQL, MYSQL]))
def test_what_is_left_is_never_longer_and_has_no_zero(text: bytes, dialect: int) -> None:
    left = without_literals(text, dialect)
    assert len(left) <= len(text)
    assert b"\0" not in left


@given(st.binary(max_size=60), st.sampled_from([POSTGRESQL, MYSQL]))
def test_the_table_of_the_programs_says_the_same(text: bytes, dialect: int) -> None:
    steps = struct.unpack(f"={2 * STATES * 256}I", table())
    state, written = dialect * STATES, b""
    for byte in text:
        step = steps[state << 8 | byte]
        written += bytes([step >> 8 & 255, step >> 16 & 255])[: step >> 24]
        state = step & 255
    assert written == without_literals(text, dialect)
