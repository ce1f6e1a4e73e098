"""No name from outside does harm, in any format."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubectl_podtrace.report.build import ReportOptions, build_window
from kubectl_podtrace.report.render import Renderer
from kubectl_podtrace.report.render.json_export import JsonRenderer
from kubectl_podtrace.report.render.live import LiveRenderer
from kubectl_podtrace.report.render.markdown import MarkdownRenderer
from kubectl_podtrace.report.render.terminal import TerminalRenderer
from kubectl_podtrace.report.text import markdown, markdown_code, plain
from kubectl_podtrace.wire.records import Processes, ProcessRow, Totals
from tests.unit.report.reports import CLIENT, HOSTILE, hostile
from tests.unit.streams import Stream, scope, totals_row

any_text = st.text(st.characters(), max_size=60)
RENDERERS: list[Renderer] = [
    TerminalRenderer(width=80, color=False),
    TerminalRenderer(width=None, color=False),
    MarkdownRenderer(),
    JsonRenderer(),
]


def written(renderer: Renderer) -> str:
    out = io.StringIO()
    renderer.render(hostile(), out)
    return out.getvalue()


def visible(text: str) -> bool:
    return all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in text)


@pytest.mark.parametrize("renderer", RENDERERS)
def test_only_visible_characters_and_line_ends_are_written(renderer: Renderer) -> None:
    assert visible(written(renderer).replace("\n", ""))


def test_colours_are_the_only_escapes_in_a_coloured_report() -> None:
    text = written(TerminalRenderer(width=80, color=True))
    assert visible(re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\n", ""))
    assert "red" in text
    assert "\x1b[31mred" not in text


def test_markup_of_the_terminal_library_stays_text() -> None:
    text = written(TerminalRenderer(width=None, color=False))
    assert "[bold]m[/bold]" in text
    assert ":boom:" in text


def test_no_html_link_mention_or_extra_cell_gets_into_markdown() -> None:
    text = written(MarkdownRenderer())
    without_code = re.sub(r"(`+)[^\n]*?[^`]\1(?!`)", "CODE", text)
    assert "<script" not in without_code.replace(r"\<script", "")
    assert not re.search(r"(?<!\\)\]\(", without_code)
    assert not re.search(r"(?<!\\)://", without_code)
    assert "@" not in without_code
    bars = [len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in text.splitlines()]
    assert any(bars)
    assert all(before == after or not (before and after) for before, after in pairwise(bars))


def test_json_keeps_every_name_as_it_was() -> None:
    found = json.loads(written(JsonRenderer()))
    assert found["files"]["top_files"][0]["path"] == HOSTILE
    assert found["processes"]["top"][0]["comm"] == HOSTILE
    assert found["connections"]["top_targets"][0]["address"] == HOSTILE
    assert found["connections"]["top_targets"][0]["name"] == HOSTILE
    assert found["dns"]["top_names"][0]["name"] == HOSTILE
    assert found["dns"]["top_names"][0]["addresses"] == [HOSTILE]
    assert found["dns"]["resolvers"][0]["address"] == HOSTILE
    assert found["target"]["pods"] == [HOSTILE]


def test_a_live_block_is_harmless_too() -> None:
    stream = Stream()
    stream.add(scope())
    process = ProcessRow(scope=0, pid=1, node_pid=2, start_ns=1, comm=HOSTILE, events=5, alive=True)
    stream.add(Totals(rows=(totals_row("files.read", count=5),)), Processes(rows=(process,)))
    stream.beat(1.1)
    out = io.StringIO()
    from kubectl_podtrace.report.target import TargetInfo

    window = build_window(stream.fold(), target=TargetInfo(), options=ReportOptions(), client=CLIENT)
    LiveRenderer(width=80, color=False).render(window, out)
    assert visible(out.getvalue().replace("\n", ""))
    assert r"\x1b[31mred" in out.getvalue()


@given(any_text)
def test_plain_text_is_visible_and_on_one_line(text: str) -> None:
    assert visible(plain(text))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_ordinary_text_is_not_changed(text: str) -> None:
    assert plain(text) == text


def test_letters_of_all_scripts_and_accents_stay() -> None:
    text = "Straße Ünï 日本語 עברית ไทย é"
    assert plain(text) == text


def test_a_pile_of_combining_marks_is_cut_short() -> None:
    assert plain("a" + "\u0301" * 40).count("\u0301") == 2


@given(any_text)
@example(r"\|")
@example(r"\\|")
def test_markdown_never_breaks_out_of_a_cell(text: str) -> None:
    """A table is cut into cells before its backslashes are read: the one right before a bar always keeps it."""
    for shown in (markdown(text), markdown_code(text)):
        assert not re.search(r"(?<!\\)\|", shown)
        assert "\n" not in shown


@given(any_text)
def test_a_code_span_is_closed_by_its_own_fence_only(text: str) -> None:
    shown = markdown_code(text)
    fence = re.match(r"`+", shown)
    assert fence is not None
    inner = shown[len(fence[0]) : -len(fence[0])]
    assert shown.endswith(fence[0])
    assert fence[0] not in re.findall(r"`+", inner)
