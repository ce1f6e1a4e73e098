"""Lists of which short formats show the first rows: what they add up to, and where all of them are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace import units
from kubectl_podtrace.analysis.files import TopFile
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.document import Table
from kubectl_podtrace.report.sections import document
from kubectl_podtrace.report.sections.cells import SHOWN
from kubectl_podtrace.report.sections.files import files
from tests.unit.report.reports import REPORTS, typical


def top_files(count: int, *, other: bool) -> Table:
    """The table of so many files, of so many operations each; and of two others that are in no list."""
    section = typical().files
    assert section is not None
    entries = [TopFile(path=f"/{number}", count=number, bytes=7, slow=0) for number in range(count, 0, -1)]
    if other:
        entries.append(TopFile(path=OTHER, count=2, bytes=2, slow=2))
    blocks = files(replace(section, top_files=tuple(entries))).blocks
    return next(block for block in blocks if isinstance(block, Table) and block.columns[-1].title == "file")


def test_a_long_list_is_cut_where_the_rest_is_added_up() -> None:
    table = top_files(30, other=True)
    assert [row[-1] for row in table.rows] == [*(f"/{number}" for number in range(30, 20, -1)), OTHER]
    assert table.rows[-1] == (str(sum(range(1, 21)) + 2), "142 B", "2", OTHER)
    assert table.every is not None
    assert [row[-1] for row in table.every] == [f"/{number}" for number in range(30, 0, -1)]
    assert table.other == ("2", "2 B", "2", OTHER)


def test_a_short_list_is_shown_whole() -> None:
    table = top_files(3, other=False)
    assert table.rows == table.every
    assert table.other is None


@pytest.mark.parametrize("name", REPORTS)
def test_what_short_formats_show_is_in_the_whole_list(name: str) -> None:
    for section in document(REPORTS[name]()):
        for table in (block for block in section.blocks if isinstance(block, Table) and block.every is not None):
            assert table.every is not None
            named = [row for row in table.rows if row[-1] != OTHER]
            assert len(named) >= min(len(table.every), 3)
            if len(table.every) <= SHOWN:
                assert {row[-1] for row in named} == {row[-1] for row in table.every}


@given(st.lists(st.integers(min_value=0, max_value=10**13), min_size=2))
def test_texts_of_durations_know_their_numbers(numbers: list[int]) -> None:
    texts = [units.duration(number) for number in numbers]
    assert [text.value for text in sorted(texts, key=lambda text: text.value)] == sorted(numbers)
