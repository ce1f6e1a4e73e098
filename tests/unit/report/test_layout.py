"""Lines: folded where it helps the reader, aligned whatever the script."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.report.document import Facts, Name, Section, Table, left, right
from kubectl_podtrace.report.render.layout import cells, fold, lay_out
from kubectl_podtrace.report.render.terminal import TerminalRenderer
from tests.unit.report.reports import REPORTS

PATH = "/var/lib/kubelet/pods/0b6c/volumes/kubernetes.io~csi/pvc-12/mount/data/base/16384/2619"


def lines(section: Section, width: int | None) -> list[str]:
    return ["".join(span.text for span in spans) for spans in lay_out(section, width)]


def table(*names: str) -> Section:
    rows = tuple((str(10**n), Name(name)) for n, name in enumerate(names))
    return Section(title="Files", blocks=(Table(columns=(*right("count"), left("path")), rows=rows),))


def test_a_long_path_is_folded_after_a_separator_under_its_column() -> None:
    assert lines(table(PATH), 62) == [
        "Files",
        "  count  path",
        "      1  /var/lib/kubelet/pods/0b6c/volumes/kubernetes.io~csi/",
        "         pvc-12/mount/data/base/16384/2619",
    ]


def test_a_pipe_gets_every_name_in_one_piece() -> None:
    assert lines(table(PATH * 5), None)[-1].endswith(PATH * 5)


def test_columns_are_aligned_with_wide_characters() -> None:
    section = Section(
        title="T",
        blocks=(Table(columns=(left("name"), *right("n")), rows=((Name("日本"), "1"), (Name("ab"), "10"))),),
    )
    assert lines(section, 80)[1:] == ["  name   n", "  日本   1", "  ab    10"]


def test_a_number_stays_with_its_unit() -> None:
    assert fold("the longest of them all took 12.3 ms", 34) == ["the longest of them all took", "12.3 ms"]


@given(st.text(max_size=200), st.integers(20, 100))
def test_folding_keeps_every_character_and_the_width(text: str, width: int) -> None:
    folded = fold(text, width)
    assert all(cells(line) <= max(width, 20) for line in folded)
    from kubectl_podtrace.report.text import plain

    assert "".join(folded).replace(" ", "") == plain(text).replace(" ", "")


def test_a_section_with_nothing_says_so_in_one_line() -> None:
    assert lines(Section(title="TCP", blocks=(), empty="nothing was sent"), 80) == ["TCP  nothing was sent"]


def test_labels_stand_in_one_column() -> None:
    section = Section(title="T", blocks=(Facts(pairs=(("a", "1"), ("long label", "2"))),))
    assert lines(section, 80) == ["T", "  a           1", "  long label  2"]


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [80, 81, 100, 120, 200])
def test_no_line_is_longer_than_the_page_or_ends_in_a_space(name: str, width: int) -> None:
    out = io.StringIO()
    TerminalRenderer(width=width, color=False).render(REPORTS[name](), out)
    for line in out.getvalue().splitlines():
        assert cells(line) <= width, line
        assert line == line.rstrip()


def test_the_headline_of_a_typical_report_is_five_lines() -> None:
    out = io.StringIO()
    TerminalRenderer(width=80, color=False).render(REPORTS["typical"](), out)
    assert out.getvalue().splitlines()[5] == ""
