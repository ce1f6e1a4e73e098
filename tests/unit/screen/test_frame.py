"""Whole screens, compared with the committed ones. PODTRACE_UPDATE_GOLD=1 writes them anew."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_podtrace.report.render.layout import cells
from kubectl_podtrace.screen.frame import compose
from kubectl_podtrace.screen.view import PAGES, View, pressed
from tests.unit.screen.pictures import PICTURES

GOLD = Path(__file__).parent / "gold"
SIZES = ((80, 24), (120, 40), (170, 50))


def screen(name: str, view: View, width: int, height: int, *, behind_s: float = 0.0) -> str:
    lines = compose(PICTURES[name](), view, width=width, height=height, behind_s=behind_s)
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines)


def compare(text: str, name: str) -> None:
    path = GOLD / name
    if os.environ.get("PODTRACE_UPDATE_GOLD"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", PICTURES)
def test_the_overview_looks_as_the_committed_one(name: str, width: int, height: int) -> None:
    compare(screen(name, View(), width, height), f"{name}.{width}x{height}.txt")


@pytest.mark.parametrize("page", [page for page in PAGES if page != "overview"])
def test_a_page_looks_as_the_committed_one(page: str) -> None:
    compare(screen("typical", View(page=page), 80, 24), f"{page}.txt")


def test_a_picture_that_is_held_says_how_old_it_is() -> None:
    assert "held still, 7.00 s old" in screen("typical", View(is_paused=True), 80, 24, behind_s=7)


def test_help_names_every_key() -> None:
    shown = screen("typical", View(helps=True), 80, 24)
    assert [key for key in ("q, Ctrl+C", "p, space", "Tab", "Page Up", "e  ", "t  ", "?") if key not in shown] == []


def test_scrolling_ends_at_the_last_line() -> None:
    view = View(page="network", of_total=True)
    for _ in range(100):
        view = pressed(view, "page_down")
    last = screen("typical", view, 80, 24).splitlines()
    assert "more line" not in last[-2]
    assert last[-2].strip() != ""


def test_every_event_is_shown_in_the_order_of_their_ends() -> None:
    shown = screen("typical", View(page="events", every_event=True), 120, 40)
    ends = [line.split()[0] for line in shown.splitlines() if line.strip().startswith("00:00")]
    assert len(ends) == 6
    assert ends == sorted(ends, reverse=True)


def test_slow_and_failed_events_come_first() -> None:
    shown = screen("typical", View(page="events"), 120, 40)
    order = [shown.index(word) for word in ("SIGKILL", "slow", "SERVFAIL", "ECONNREFUSED")]
    assert max(order) < min(shown.index("exec"), shown.index("ENOENT"))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["silent", "hostile"]),
    page=st.sampled_from(list(PAGES)),
    width=st.integers(1, 220),
    height=st.integers(1, 70),
)
def test_no_line_is_larger_than_the_terminal_and_none_moves_its_cursor(
    name: str, page: str, width: int, height: int
) -> None:
    lines = compose(PICTURES[name](), View(page=page), width=width, height=height)
    assert len(lines) <= height
    for line in lines:
        text = "".join(span.text for span in line)
        assert cells(text) <= width
        assert not [character for character in text if unicodedata.category(character)[0] == "C"]
