"""What is left of a statement without its literals, as lists show it: alike what differs by its values only."""

from __future__ import annotations

import json
import re
from typing import Final

from kubectl_podtrace.wire.codec import clean_text
from kubectl_podtrace.wire.fields import CUT_MARK

LONGEST: Final = 600
"""So many bytes of a line a statement takes at most: its histogram has to fit beside it."""

_VALUE: Final = r"(?:\?|\$\d+)"
_FOLDS: Final = (
    (re.compile(r"\s+"), " "),
    # Strings with a prefix, such as E'...', x'...', _utf8'...'.
    (re.compile(r"\b(?:[EeXxBbNn]|[Uu]&|_\w+)\?"), "?"),
    # Signs of numbers.
    (re.compile(r"(?i)([(,=<>*/%+-]|\b(?:select|when|then|else|limit|offset|between|and|or|by)) ?[-+] ?\?"), r"\1 ?"),
    (re.compile(r" ?, ?"), ", "),
    (re.compile(r"\( "), "("),
    (re.compile(r" \)"), ")"),
    (re.compile(rf"\({_VALUE}(?:, {_VALUE})+\)"), "(?, ...)"),
    (re.compile(rf"(?i)(\bin )\({_VALUE}\)"), r"\1(?, ...)"),
    (re.compile(rf"(\(\?, \.\.\.\)|\({_VALUE}\))(?:, (?:\(\?, \.\.\.\)|\({_VALUE}\)))+"), r"\1, ..."),
    # A list that the limit of what is read has cut off.
    (re.compile(rf"\({_VALUE}(?:, {_VALUE})*,? ?$"), "(?, ..."),
)  # fmt: skip


def statement_text(stripped: bytes, *, is_cut: bool) -> str:
    """The text of a statement, whose literals are gone already.

    >>> statement_text(b"select a from t  where b in (?, ?,?) and c = -?", is_cut=False)
    'select a from t where b in (?, ...) and c = ?'
    >>> statement_text(b"insert into t values (?, E?), (?,?)", is_cut=False)
    'insert into t values (?, ...), ...'
    """
    text = clean_text(stripped.strip())
    for pattern, replacement in _FOLDS:
        text = pattern.sub(replacement, text)
    text = text.strip().removesuffix(";").rstrip()
    shown = text + (CUT_MARK if is_cut else "")
    while len(json.dumps(shown)) > LONGEST:
        text = text[: min(len(text) * 9 // 10, LONGEST)]
        shown = text + CUT_MARK
    return shown
