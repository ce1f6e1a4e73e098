"""The tables in docs/overhead.md: each stands between two comments, and what stands around them is written by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from benchmarks.failure import BenchmarkError

TABLES: Final = ("machine", "calls", "servers", "topics", "programs", "footprint")
"""In the order in which they stand there."""

_PART = re.compile(r"(<!-- measured: (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def parts_of(page: str) -> list[str]:
    """The names of the tables that a page has a place for."""
    return [found["name"] for found in _PART.finditer(page)]


def with_tables(page: str, tables: Mapping[str, str]) -> str:
    """The page with these tables in their places. Raises BenchmarkError if table and places do not match."""
    if sorted(parts_of(page)) != sorted(tables):
        raise BenchmarkError(f"the page has places for {parts_of(page)}, measured were {list(tables)}")
    return _PART.sub(lambda found: f"{found[1]}\n{tables[found['name']]}\n\n{found[3]}", page)
