from __future__ import annotations

import pytest

from kubectl_podtrace.screen.view import PAGES, View, pressed


def after(*keys: str) -> View:
    view = View()
    for key in keys:
        view = pressed(view, key)
    return view


def test_numbers_and_tab_turn_pages_in_a_circle() -> None:
    names = list(PAGES)
    assert [after(str(number)).page for number in range(1, len(names) + 1)] == names
    assert after(*["tab"] * len(names)).page == names[0]
    assert after("backtab").page == names[-1]
    assert after("right", "right", "left").page == names[1]


def test_scrolling_stops_at_the_top_and_starts_anew_on_another_page() -> None:
    assert after("down", "down", "up").scroll == 1
    assert after("up").scroll == 0
    assert after("page_down", "home").scroll == 0
    assert after("2", "page_down", "3").scroll == 0


@pytest.mark.parametrize(
    ("key", "field"), [("p", "is_paused"), (" ", "is_paused"), ("e", "every_event"), ("t", "of_total"), ("?", "helps")]
)
def test_switches_go_on_and_off(key: str, field: str) -> None:
    assert getattr(after(key), field) is True
    assert getattr(after(key, key), field) is False


def test_a_key_leaves_the_help_and_does_what_it_does() -> None:
    view = after("?", "3")
    assert (view.helps, view.page) == (False, "dns")


def test_unknown_keys_change_nothing() -> None:
    assert after("x", "0", "9", "\x00", "ü", "²") == View()
