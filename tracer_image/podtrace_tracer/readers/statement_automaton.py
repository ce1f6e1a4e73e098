"""The automaton that takes literals and comments out of statements: one table, which the BPF programs step through.

Strings and numbers come out as `?`, comments and runs of whitespace as a space. Where a text cannot be told from a
literal (an escape that depends on a server's settings, a dollar quote with a tag, comments in comments), the rest of it
is left out: what is lost is a statement's end, never a literal's secrecy.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Final, NamedTuple

POSTGRESQL, MYSQL = 0, 1
"""The dialects, by the number that the programs know the protocol by."""
STATES: Final = 32
"""As many as a dialect may have."""

_LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") | frozenset(range(0x80, 0x100))
_DIGITS: Final = frozenset(b"0123456789")
_SPACES: Final = frozenset(b" \t\n\r\f\v\0")
_MARK, _BACKSLASH = b"?", ord("\\")


class _State(NamedTuple):
    """Where in a text one is; `gap`: whitespace came that is not written yet."""

    mode: str
    gap: bool = False


_Step = tuple[_State, bytes]
_TEXT, _AFTER_GAP, _WORD, _REST = _State("text"), _State("text", gap=True), _State("word"), _State("rest")
_QUOTES: Final = {"string": ord("'"), "escaped": ord("'"), "double": ord('"')}
"""Modes of strings, and the quote that ends each. `escaped` and `double` have escapes by a backslash, `string` none."""


def _outside(state: _State, byte: int, dialect: int) -> _Step:
    """A byte that is in no string, name or comment."""
    before = b" " if state.gap else b""
    mode = "text" if state.gap else state.mode
    if byte in _SPACES:
        return _AFTER_GAP, b""
    if mode == "number" and (byte in _LETTERS or byte in _DIGITS or byte in b".$"):
        return _State("number"), b""
    if byte in _LETTERS or (byte in b"$0123456789" and mode in {"word", "e"}) or (byte in b"$" and dialect == MYSQL):
        is_prefix = dialect == POSTGRESQL and byte in b"eE" and mode not in {"word", "e"}
        return _State("e") if is_prefix else _WORD, before + bytes([byte])
    if byte in _DIGITS:
        return _State("number"), before + _MARK
    if byte in b"-/$":
        # What these begin shows at the next byte.
        return _State({ord("-"): "dash", ord("/"): "slash", ord("$"): "dollar"}[byte]), before
    return _opening(mode, byte, dialect, before)


def _opening(mode: str, byte: int, dialect: int, before: bytes) -> _Step:
    """A byte that may begin a string, a name or a comment."""
    if byte == ord("'"):
        return _State("escaped" if dialect == MYSQL or mode == "e" else "string"), before + _MARK
    if byte == ord('"'):
        return (_State("double"), before + _MARK) if dialect == MYSQL else (_State("name"), before + bytes([byte]))
    if dialect == MYSQL and byte == ord("`"):
        return _State("tick"), before + bytes([byte])
    if dialect == MYSQL and byte == ord("#"):
        return _State("line"), before
    return _TEXT, before + bytes([byte])


def _begun(state: _State, byte: int, dialect: int) -> _Step:
    """The byte behind one of which it was not clear what it begins."""
    letter, opened, becomes = {"dash": ("-", "-", "line"), "slash": ("/", "*", "block"), "dollar": ("$", "$", "body")}[
        state.mode
    ]
    if byte == ord(opened):
        return _State(becomes), _MARK if becomes == "body" else b""
    if state.mode == "dollar" and byte in _DIGITS:
        return _WORD, b"$" + bytes([byte])  # a parameter
    if state.mode == "dollar" and byte in _LETTERS:
        return _REST, _MARK  # a quote with a tag
    following, out = _outside(_TEXT, byte, dialect)
    return following, letter.encode() + out


def _in_string(mode: str, byte: int) -> _Step:
    """A byte inside of a string. `+` marks a backslash before it, `^` a byte beyond ASCII before it (or both)."""
    kind, marks = mode.rstrip("+^"), mode.lstrip("abcdefghijklmnopqrstuvwxyz")
    is_quote, has_escapes = byte == _QUOTES[kind], kind != "string"
    if "+" in marks:
        if is_quote and (not has_escapes or "^" in marks):
            # It ends here, or not: that rests on standard_conforming_strings, or on the character set.
            return _REST, b""
        return _State(kind), b""
    if byte == _BACKSLASH:
        return _State(f"{kind}+{marks}"), b""
    if is_quote:
        return _State(f"{kind}."), b""
    return _State(kind + ("^" if has_escapes and byte >= 0x80 else "")), b""


def _in_comment(mode: str, byte: int, dialect: int) -> _Step:
    if mode == "line":
        ends = byte == ord("\n") or (byte == ord("\r") and dialect == POSTGRESQL)
        return (_AFTER_GAP if ends else _State("line")), b""
    if mode == "block*" and byte == ord("/"):
        return _AFTER_GAP, b""
    if mode == "block/" and byte == ord("*"):
        return _REST, b""  # a comment inside of a comment
    if byte == ord("*"):
        return _State("block*"), b""
    return _State("block/" if byte == ord("/") and dialect == POSTGRESQL else "block"), b""


def _step(state: _State, byte: int, dialect: int) -> _Step:
    mode = state.mode
    if mode == "rest":
        return _REST, b""
    if mode in {"dash", "slash", "dollar"}:
        return _begun(state, byte, dialect)
    if mode in {"line", "block", "block*", "block/"}:
        return _in_comment(mode, byte, dialect)
    if mode in {"body", "body$"}:
        if byte == ord("$"):
            return (_TEXT if mode == "body$" else _State("body$")), b""
        return _State("body"), b""
    if mode in {"name", "tick"}:
        ends = byte == ord({"name": '"', "tick": "`"}[mode])
        return (_WORD if ends else state), bytes([byte or ord(" ")])
    if mode.endswith("."):
        kind = mode.removesuffix(".")
        # A quote twice is one inside of the string.
        return (_State(kind), b"") if byte == _QUOTES[kind] else _outside(_TEXT, byte, dialect)
    if mode.rstrip("+^") in _QUOTES:
        return _in_string(mode, byte)
    return _outside(state, byte, dialect)


@cache
def _steps(dialect: int) -> tuple[tuple[tuple[int, bytes], ...], ...]:
    """By state and byte: the next state, and what is written. The first state is that of a text's beginning."""
    numbers = {_TEXT: 0}
    rows: list[tuple[tuple[int, bytes], ...]] = []
    waiting = [_TEXT]
    for state in waiting:
        row = []
        for byte in range(256):
            following, out = _step(state, byte, dialect)
            if following not in numbers:
                numbers[following] = len(numbers)
                waiting.append(following)
            row.append((numbers[following], out))
        rows.append(tuple(row))
    assert len(rows) <= STATES, f"{len(rows)} states"
    return tuple(rows)


def table() -> bytes:
    """The table of both dialects as the programs read it: a number for each state (the dialect's first) and byte.

    From its lowest byte on: next state, first and second byte written, how many are.
    """
    packed = bytearray(2 * STATES * 256 * 4)
    for dialect in (POSTGRESQL, MYSQL):
        for state, row in enumerate(_steps(dialect)):
            for byte, (following, out) in enumerate(row):
                place = ((dialect * STATES + state) * 256 + byte) * 4
                first, second = out.ljust(2, b"\0")
                struct.pack_into("=BBBB", packed, place, dialect * STATES + following, first, second, len(out))
    return bytes(packed)


def without_literals(text: bytes, dialect: int) -> bytes:
    """What the programs make of a text."""
    state, written, steps = 0, bytearray(), _steps(dialect)
    for byte in text:
        state, out = steps[state][byte]
        written += out
    return bytes(written)
