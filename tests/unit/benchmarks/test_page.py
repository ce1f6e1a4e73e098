from __future__ import annotations

import pytest

from benchmarks.failure import BenchmarkError
from benchmarks.page import parts_of, with_tables

PAGE = """\
# What it costs

<!-- measured: calls -->
| old |
|---|
<!-- end -->

Words that stay.

<!-- measured: servers -->
<!-- end -->
"""


def test_tables_take_the_place_of_the_old_ones_and_words_stay() -> None:
    new = with_tables(PAGE, {"servers": "| b |\n|---|", "calls": "| a |\n|---|"})
    assert new.index("| a |") < new.index("Words that stay.") < new.index("| b |")
    assert "old" not in new
    assert parts_of(new) == parts_of(PAGE) == ["calls", "servers"]
    assert with_tables(new, {"servers": "| b |\n|---|", "calls": "| a |\n|---|"}) == new


@pytest.mark.parametrize("names", [["calls"], ["calls", "servers", "topics"]])
def test_a_table_without_a_place_and_a_place_without_a_table_are_refused(names: list[str]) -> None:
    with pytest.raises(BenchmarkError, match="the page has places for"):
        with_tables(PAGE, dict.fromkeys(names, ""))
