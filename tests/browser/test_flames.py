from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Open, box

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from playwright.sync_api import Page as Tab

CHART = "#chart-stacks-1"


@pytest.fixture
def tab(opened: Open) -> Tab:
    """The typical report, in which nothing moves."""
    return opened("typical", reduced_motion="reduce").tab


def frame(tab: Tab, name: str) -> Locator:
    return tab.locator(f"{CHART} g.frame[name^='{name}']")


def width(found: Locator) -> float:
    return box(found.locator("rect"))["width"]


def until(tab: Tab, name: str, relation: str, limit: float) -> None:
    """Waits for the frame of this name to be wider or narrower."""
    rect = f"""document.querySelector("{CHART} g.frame[name^='{name}'] rect").getBoundingClientRect()"""
    tab.wait_for_function(f"(limit) => {rect}.width {relation} limit", arg=limit)


def test_callers_stand_above_what_they_called_as_wide_as_their_share(tab: Tab) -> None:
    whole, fsync, inner = frame(tab, "slow operations"), frame(tab, "files.fsync"), frame(tab, "fsync (libc")
    tops = [box(each)["y"] for each in (whole, fsync, inner)]
    assert tops == sorted(tops)
    assert width(fsync) < width(whole) / 2
    assert abs(width(fsync) - width(inner)) < 2


def test_paper_shows_frames_as_wide_as_they_are(tab: Tab) -> None:
    """What is drawn before printing is printed at once: nothing may have to grow."""
    widths = tab.evaluate(
        f"""() => (window.dispatchEvent(new Event("beforeprint")), [...document.querySelectorAll("{CHART} g.frame")]
            .map((frame) => [frame.querySelector("rect"), frame].map((each) => each.getAttribute("width"))))"""
    )
    assert len(widths) > 5
    assert all(drawn == meant for drawn, meant in widths)


def test_a_click_zooms_and_a_button_shows_all_again(tab: Tab) -> None:
    before, whole = width(frame(tab, "fsync (libc")), width(frame(tab, "slow operations"))
    frame(tab, "fsync (libc").click()
    until(tab, "fsync (libc", ">", whole - 2)
    tab.locator(CHART).get_by_role("button", name="Show all").click()
    until(tab, "fsync (libc", "<", before + 2)


def test_a_search_marks_what_it_finds_and_says_how_much_that_is(tab: Tab) -> None:
    tab.locator(CHART).get_by_label("Search").fill("STORE::")
    assert frame(tab, "store::").locator("rect").get_attribute("fill") == "var(--flame-hit)"
    assert frame(tab, "main").locator("rect").get_attribute("fill") != "var(--flame-hit)"
    assert tab.locator(f"{CHART} .details").inner_text() == "1 of the functions found, in 21.1% of the whole"
    tab.locator(CHART).get_by_label("Search").fill("")
    assert frame(tab, "store::").locator("rect").get_attribute("fill") != "var(--flame-hit)"


def test_a_search_takes_signs_of_patterns_as_they_are(tab: Tab) -> None:
    tab.locator(CHART).get_by_label("Search").fill("store::flush(")
    assert frame(tab, "store::").locator("rect").get_attribute("fill") == "var(--flame-hit)"


def test_the_keyboard_walks_and_zooms(tab: Tab) -> None:
    tab.locator(f"{CHART} .flame-drawing").focus()
    tab.keyboard.press("ArrowDown")
    details = tab.locator(f"{CHART} .details")
    assert details.inner_text().startswith("tcp.receive 10.96.12.7:5432 and others: 400 ms")
    tab.keyboard.press("ArrowRight")
    assert details.inner_text().startswith("files.fsync")
    before = width(frame(tab, "files.fsync"))
    tab.keyboard.press("Enter")
    until(tab, "files.fsync", ">", before * 2)
    tab.keyboard.press("Escape")
    until(tab, "files.fsync", "<", before + 2)
