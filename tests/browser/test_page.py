from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.browser.conftest import ALL, Open, box
from tests.unit.report.reports import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Locator, ViewportSize
    from playwright.sync_api import Page as Tab

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
WIDTHS: Final[dict[str, ViewportSize]] = {"phone": PHONE, "desk": {"width": 1280, "height": 900}}


def background(tab: Tab) -> str:
    found: str = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    return found


def brightness(color: str) -> float:
    red, green, blue = (int(number) / 255 for number in re.findall(r"\d+", color)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ALL)
def test_a_report_opens_in_silence_and_fits_the_width_of_its_page(opened: Open, name: str, width: str) -> None:
    tab = opened(name, viewport=WIDTHS[width]).tab
    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    places = tab.locator(".drawing")
    assert places.count() == tab.evaluate("Object.keys(podtrace.data.charts).length")
    assert places.locator("> svg").count() == places.count()


def test_nothing_that_a_name_says_is_done(opened: Open) -> None:
    for name in ("hostile", "renamed"):
        nothing_is_done(opened(name).tab)


def nothing_is_done(tab: Tab) -> None:
    """No element came of a name, and no script but our own ran."""
    scripts = tab.evaluate("[...document.scripts].filter((script) => /alert/.test(script.textContent)).length")
    assert scripts == tab.evaluate("[...document.scripts].filter((script) => script.id === 'report-data').length")
    assert tab.locator("i, b, img, iframe").count() == 0
    assert tab.locator("a").evaluate_all("(links) => links.every((link) => link.hash && link.protocol === 'file:')")
    assert r"\x1b[31mred\x1b]0;title\x07 \u202egnp.exe" in tab.locator("h1").inner_text()
    assert "<script>alert(1)</script>" in HOSTILE
    assert "<script>alert(1)</script>" in tab.locator("h1").inner_text()


def test_a_name_that_the_scripts_draw_stays_text(opened: Open) -> None:
    tab = opened("renamed").tab
    for place in (".bars-drawing text", ".flame-drawing g.frame div", "#files tbody td.name"):
        drawn = tab.locator(place).all_text_contents()
        assert any(r"\x1b[31mred" in text for text in drawn), place
    assert tab.locator("svg script, svg a, svg image").count() == 0
    tab.locator("#chart-stacks-1").get_by_label("Search").fill("<script>alert(1)")
    tab.locator("#chart-stacks-1 g.frame").nth(1).hover()
    assert "<script>alert(1)</script>" in tab.locator("#chart-stacks-1 .details").inner_text()


def test_the_page_can_be_read_without_scripts(opened: Open) -> None:
    tab = opened("huge", java_script_enabled=False).tab
    table = tab.locator("#files .table").last
    assert table.locator("tbody tr").count() == 11
    assert table.locator("tbody tr").last.inner_text().endswith("(other)")
    assert "11 of 1500 rows" in tab.locator("#files .more").last.inner_text()
    assert tab.locator("#theme").is_hidden()
    assert tab.locator("#verdict").is_visible()


def test_colours_follow_the_system_and_the_button(opened: Open) -> None:
    tab = opened("typical", color_scheme="dark").tab
    assert brightness(background(tab)) < 0.1
    button = tab.get_by_role("button", name="Colours: system")
    button.click()
    assert brightness(background(tab)) > 0.9
    tab.get_by_role("button", name="Colours: light").click()
    assert brightness(background(tab)) < 0.1
    tab.emulate_media(color_scheme="light")
    assert brightness(background(tab)) < 0.1
    tab.get_by_role("button", name="Colours: dark").click()
    assert brightness(background(tab)) > 0.9


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(opened: Open, scheme: str) -> None:
    """The ratio of the Web Content Accessibility Guidelines: 4.5 for text of this size."""
    tab = opened("partial", color_scheme=scheme).tab
    pairs = tab.evaluate(
        """() => [...document.querySelectorAll("h1, h2, h3, p, li, dt, dd, th, td, a, button, span, strong")]
            .filter((each) => each.checkVisibility() && each.textContent.trim())
            .filter((each) => !each.matches(".for-ears, .key, .dot"))
            .map((each) => {
                let ground = each;
                while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
                const draw = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
                const rgb = (color) => {
                    draw.fillStyle = color;
                    draw.fillRect(0, 0, 1, 1);
                    return [...draw.getImageData(0, 0, 1, 1).data].slice(0, 3);
                };
                const colors = [getComputedStyle(each).color, getComputedStyle(ground).backgroundColor];
                return [...colors.map(rgb), each.outerHTML.slice(0, 90)];
            })"""
    )
    assert len(pairs) > 100
    low = {text: contrast(front, ground) for front, ground, text in pairs if contrast(front, ground) < 4.5}
    assert low == {}


def contrast(first: list[int], second: list[int]) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: list[int]) -> float:
    parts = [part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in color]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_paper_is_light_and_has_all_sections(opened: Open) -> None:
    tab = opened("typical", color_scheme="dark").tab
    tab.emulate_media(media="print")
    assert brightness(background(tab)) == 1
    assert tab.locator(".contents").is_hidden()
    titles = tab.locator("main h2")
    assert titles.count() > 15
    assert all(title.is_visible() for title in titles.all())
    pdf = tab.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 5 < len(re.findall(rb"/Type\s*/Page\b", pdf)) < 40


def test_paper_says_that_a_long_table_has_more_rows(opened: Open) -> None:
    tab = opened("huge").tab
    tab.emulate_media(media="print")
    note = tab.locator("#files .more").last
    assert note.is_visible()
    assert "10 of 1500 rows are shown here" in note.inner_text()


def test_charts_fit_a_window_whose_width_changes(opened: Open) -> None:
    tab = opened("typical").tab
    chart = tab.locator("#chart-timeline-1 svg")
    before = box(chart)["width"]
    tab.set_viewport_size(PHONE)
    is_narrow = "(before) => document.querySelector('#chart-timeline-1 svg').getBoundingClientRect().width < before / 2"
    tab.wait_for_function(is_narrow, arg=before)
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_what_happened_stands_as_numbers_in_the_chart_and_as_words_below_it(opened: Open) -> None:
    tab = opened("restarted").tab
    words = tab.locator("#chart-timeline-1 .markers li")
    assert words.count() == 8
    assert "OOMKilled" in words.first.inner_text()
    numbers = tab.locator("#chart-timeline-1 svg text").all_text_contents()
    assert {str(number) for number in range(1, 9)} <= set(numbers)


def test_time_of_which_nothing_is_known_is_hatched(opened: Open) -> None:
    tab = opened("truncated").tab
    chart = tab.locator("#chart-timeline-1")
    assert "no number is known" in chart.locator(".legend").inner_text()
    assert chart.locator("svg [fill='url(#hatch)']").count() > 0


def test_percentiles_are_marked_in_a_histogram(opened: Open) -> None:
    tab = opened("typical").tab
    chart: Locator = tab.locator("#chart-tcp-1")
    assert chart.locator(".marks li").all_inner_texts() == ["p50 42.0 µs", "p95 71.7 µs", "p99 71.7 µs", "max 74.0 µs"]
    assert {"p50", "p95", "p99", "max"} <= set(chart.locator("svg text").all_text_contents())


def test_every_chart_and_control_has_a_name_for_those_who_do_not_see_it(opened: Open) -> None:
    tab = opened("typical").tab
    unnamed = tab.evaluate(
        """() => [...document.querySelectorAll("figure svg, button, input, select, table, nav")]
            .filter((each) => !each.closest("figure svg svg"))
            .filter((each) => !each.getAttribute("aria-label") && !each.textContent.trim() && !each.labels?.length)
            .map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert unnamed == []
