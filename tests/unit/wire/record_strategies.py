"""Hypothesis strategies for every record, made from the records' own definitions."""

from __future__ import annotations

import typing
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from kubectl_podtrace.wire.fields import MAX_LINE, Limit


@cache  # to make a strategy takes longer than to draw from it
def of_type(record_type: type[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(record_type, include_extras=True)
    return st.builds(record_type, **{field.name: _of_hint(hints[field.name]) for field in fields(record_type)})


def _of_hint(hint: Any) -> st.SearchStrategy[Any]:
    if hint is bool:
        return st.booleans()
    if typing.get_origin(hint) is tuple:
        return st.lists(_of_hint(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return of_type(hint)
    base, limit = typing.get_args(hint)
    assert isinstance(limit, Limit)
    if base is int:
        return st.integers(min_value=limit.low, max_value=limit.high)
    if limit.words is not None:
        return st.sampled_from(sorted(limit.words))
    # Surrogates cannot be written as UTF-8; the codec escapes them, see its own test.
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    return text | st.text(st.characters(max_codepoint=127), min_size=0, max_size=min(limit.high, MAX_LINE // 8))
