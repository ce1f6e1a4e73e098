from __future__ import annotations

from pathlib import Path

from benchmarks.page import TABLES, parts_of


def test_the_page_has_a_place_for_every_table_that_is_measured(root: Path) -> None:
    assert parts_of((root / "docs/overhead.md").read_text()) == list(TABLES)
