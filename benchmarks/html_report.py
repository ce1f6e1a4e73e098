"""How fast the HTML report of ten thousand rows opens, by the browser's own clock.

python -m benchmarks.html_report [ROUNDS], with a Chromium; a page is opened anew for each round.
"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from kubectl_podtrace.report.writer import Output, Page, write_report
from tests.browser.conftest import find_browser
from tests.unit.report.huge import ROWS, huge

ROUNDS: Final = 9
LIMIT_MS: Final = 1_000
"""What `ready` is to stay below: the text is there, and tables and their tools work."""
READ: Final = """() => ({
    "first contentful paint": performance.getEntriesByName("first-contentful-paint")[0].startTime,
    ready: performance.getEntriesByName("ready")[0].startTime,
    "all charts drawn": performance.getEntriesByName("drawn")[0].startTime,
})"""


def main() -> None:
    """Prints the medians, in milliseconds since the page was asked for; ends with 1 when it took too long."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        path = Path(place) / "report.html"
        report = huge()
        before = time.perf_counter()
        write_report(report, Output(format="html", path=path), stdout=io.StringIO(), page=Page())
        print(f"{ROWS:,} rows: {path.stat().st_size:,} bytes, written in {time.perf_counter() - before:.2f} s")
        browser = driver.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        times = [opening(browser, path) for _ in range(rounds)]
        browser.close()
    for name in times[0]:
        taken = sorted(each[name] for each in times)
        print(f"{name}: {statistics.median(taken):.0f} ms ({taken[0]:.0f} to {taken[-1]:.0f}) in {rounds} rounds")
    if statistics.median(each["ready"] for each in times) > LIMIT_MS:
        raise SystemExit(f"it is to be ready in {LIMIT_MS} ms")


def opening(browser: Browser, path: Path) -> dict[str, float]:
    """When what was there, in milliseconds."""
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-drawn=all]", state="attached")
    found: dict[str, float] = tab.evaluate(READ)
    context.close()
    return found


if __name__ == "__main__":
    main()
