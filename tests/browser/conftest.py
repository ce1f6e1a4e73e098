"""HTML reports in a browser.

Real: Chromium without a window, the files that the writer writes, their scripts, styles and Content Security Policy.
Fake: the traces that the reports are of.
Asserted: what a reader sees and can do with mouse, keyboard and printer; that no name does anything; and of every page
    that is opened, that its console stays silent and that it asks nothing of any network.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.writer import Output, Page, write_report
from tests.unit.report.huge import huge
from tests.unit.report.renamed import renamed
from tests.unit.report.reports import REPORTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect, Locator
    from playwright.sync_api import Page as Tab

HERE = Path(__file__).parent
PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
ALL: Final[dict[str, Callable[[], Report]]] = {**REPORTS, "huge": huge, "renamed": renamed}


def find_browser() -> str | None:
    """The first browser that is there."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def _why_not() -> str | None:
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed (make install-dev)"
    return None if find_browser() else f"there is no browser: none of {', '.join(PROGRAMS)}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the whole tier where it cannot run, with the reason; with CI set its tests fail instead."""
    own = [item for item in items if HERE in item.path.parents]
    reason = _why_not() if own and not os.environ.get("CI") else None
    for item in own:
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser for all tests; each page has a context of its own in it."""
    from playwright.sync_api import sync_playwright

    program = find_browser()
    assert program is not None, _why_not()
    with sync_playwright() as driver:
        # Chromium's sandbox wants a user that is not root; what is opened here is our own.
        running = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of a report, by the report's name."""
    place = tmp_path_factory.mktemp("reports")

    def file_of(name: str) -> Path:
        path = place / f"{name}.html"
        if not path.exists():
            write_report(ALL[name](), Output(format="html", path=path), stdout=io.StringIO(), page=Page())
        return path

    return file_of


@dataclass(kw_only=True)
class Opened:
    """A page, and what it said and asked for."""

    tab: Tab
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


Open = Callable[..., Opened]


def box(found: Locator) -> FloatRect:
    """Where an element that is visible stands, in pixels."""
    rect = found.bounding_box()
    assert rect is not None
    return rect


@pytest.fixture
def opened(browser: Browser, files: Callable[[str], Path]) -> Iterator[Open]:
    """Opens the file of a report, waits until all is drawn; at the end looks at what its pages said and asked for."""
    pages: list[tuple[Opened, str]] = []

    def open_report(name: str, **options: Any) -> Opened:
        context = browser.new_context(**options)
        found = Opened(tab=context.new_page())
        found.tab.on("console", lambda message: found.said.append(message.text))
        found.tab.on("pageerror", lambda error: found.said.append(str(error)))
        found.tab.on("dialog", lambda dialog: found.said.append(f"dialog: {dialog.message}"))
        found.tab.on("request", lambda request: found.asked.append(request.url))
        address = files(name).as_uri()
        pages.append((found, address))
        found.tab.goto(address)
        if options.get("java_script_enabled", True):
            found.tab.wait_for_selector("html[data-drawn=all]", state="attached")
        return found

    yield open_report
    for found, address in pages:
        found.tab.context.close()
        assert found.said == []
        assert set(found.asked) == {address}
