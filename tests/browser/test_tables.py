from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.conftest import Open

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from playwright.sync_api import Page as Tab

FILES = 1_500


def files_table(tab: Tab) -> tuple[Locator, Locator]:
    """The table of files and the tools above it."""
    table = tab.locator("#files .table").last
    return table, tab.locator("#files .tools").last


def column(table: Locator, place: int) -> list[str]:
    return table.locator(f"tbody tr td:nth-child({place})").all_inner_texts()


def test_rows_are_ordered_by_their_numbers_not_by_their_texts(opened: Open) -> None:
    tab = opened("huge").tab
    table, _ = files_table(tab)
    assert column(table, 1)[:2] == ["1,500", "1,499"]
    table.get_by_role("button", name="bytes").click()
    assert column(table, 2)[0] == "6.18 MiB"
    assert table.locator("th[aria-sort=descending]").inner_text() == "bytes"
    table.get_by_role("button", name="bytes").click()
    assert column(table, 2)[:3] == ["4.22 KiB", "8.44 KiB", "12.7 KiB"]
    table.get_by_role("button", name="bytes").click()
    assert column(table, 1)[:2] == ["1,500", "1,499"]
    assert table.locator("th[aria-sort]").count() == 0


def test_dashes_come_after_all_numbers(opened: Open) -> None:
    tab = opened("huge").tab
    table, _ = files_table(tab)
    for _ in range(2):
        table.get_by_role("button", name="slow").click()
        assert "-" not in column(table, 3)


def test_names_are_ordered_with_the_keyboard(opened: Open) -> None:
    tab = opened("huge").tab
    table, _ = files_table(tab)
    table.get_by_role("button", name="file").focus()
    tab.keyboard.press("Enter")
    names = column(table, 4)
    assert names == sorted(names)
    assert names[0].startswith("/var/lib/shop/shards/00/")


def test_a_filter_finds_rows_on_all_pages(opened: Open) -> None:
    tab = opened("huge").tab
    table, tools = files_table(tab)
    tools.get_by_label("Filter").fill("SHARDS/07 00000039")
    assert column(table, 4) == ["/var/lib/shop/shards/07/segments/00000039.log"]
    assert tools.locator(".shown").inner_text() == f"1\u20131 of 1 found of {FILES}"
    tools.get_by_label("Filter").fill("no such name")
    assert column(table, 4) == []
    assert tools.locator(".shown").inner_text() == f"none of {FILES}"
    tools.get_by_label("Filter").fill("")
    assert len(column(table, 4)) == 10


def test_pages_of_rows_are_turned(opened: Open) -> None:
    tab = opened("huge").tab
    table, tools = files_table(tab)
    assert tools.get_by_role("button", name="Rows before").is_disabled()
    tools.get_by_role("button", name="Rows after").click()
    assert column(table, 1)[0] == "1,490"
    tools.get_by_role("combobox").select_option("200")
    assert len(column(table, 1)) == 200
    assert tools.locator(".shown").inner_text() == f"1\u2013200 of {FILES}"
    for _ in range(7):
        tools.get_by_role("button", name="Rows after").click()
    assert column(table, 1)[-1] == "1"
    assert tools.get_by_role("button", name="Rows after").is_disabled()


def test_what_the_list_does_not_hold_stays_at_its_end(opened: Open) -> None:
    tab = opened("typical").tab
    table, _ = files_table(tab)
    assert column(table, 4)[-1] == "(other)"
    table.get_by_role("button", name="operations").click()
    table.get_by_role("button", name="operations").click()
    assert column(table, 4)[-1] == "(other)"
    assert column(table, 1)[:3] == ["500", "1,000", "1,500"]


def test_functions_of_a_stack_stay_below_their_operation(opened: Open) -> None:
    tab = opened("typical").tab
    table = tab.locator("#stacks .table").first
    first = table.locator("tbody tr").first.inner_text()
    table.get_by_role("button", name="count").click()
    lines = table.locator("tbody tr").first.locator(".line").all_inner_texts()
    assert lines[0] == "fsync (libc.so.6)"
    assert table.locator("tbody tr").nth(1).inner_text() == first
