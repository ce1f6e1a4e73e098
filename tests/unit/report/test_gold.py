"""Whole documents, compared with the committed ones. PODTRACE_UPDATE_GOLD=1 writes them anew."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from kubectl_podtrace.report.build import ReportOptions, build_window
from kubectl_podtrace.report.model import LiveReport
from kubectl_podtrace.report.render import Renderer
from kubectl_podtrace.report.render.csv_export import CsvRenderer
from kubectl_podtrace.report.render.folded import FoldedRenderer
from kubectl_podtrace.report.render.html import HtmlRenderer
from kubectl_podtrace.report.render.json_export import JsonRenderer
from kubectl_podtrace.report.render.live import LiveRenderer
from kubectl_podtrace.report.render.markdown import MarkdownRenderer
from kubectl_podtrace.report.render.speedscope import SpeedscopeRenderer
from kubectl_podtrace.report.render.terminal import TerminalRenderer
from tests.unit.report.huge import huge
from tests.unit.report.reports import API, CLIENT, REPORTS
from tests.unit.shop import shop_stream

GOLD = Path(__file__).parent / "gold"
FORMATS: dict[str, Renderer] = {
    "80.txt": TerminalRenderer(width=80, color=False),
    "120.txt": TerminalRenderer(width=120, color=False),
    "pipe.txt": TerminalRenderer(width=None, color=False),
    "md": MarkdownRenderer(),
    "json": JsonRenderer(),
    "html": HtmlRenderer(bare=True),
    "csv": CsvRenderer(),
    "folded": FoldedRenderer(),
    "speedscope.json": SpeedscopeRenderer(),
}
READ_BY_PEOPLE = ("80.txt", "120.txt", "pipe.txt", "md")
"""Formats that show a few of ten thousand rows."""


def compare(text: str, name: str) -> None:
    path = GOLD / name
    if os.environ.get("PODTRACE_UPDATE_GOLD"):
        path.write_bytes(text.encode())
    # Lines of a table for spreadsheets end as RFC 4180 says.
    assert text == path.read_bytes().decode()


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_looks_as_the_committed_one(name: str, suffix: str) -> None:
    out = io.StringIO()
    FORMATS[suffix].render(REPORTS[name](), out)
    compare(out.getvalue(), f"{name}.{suffix}")


@pytest.mark.parametrize("suffix", READ_BY_PEOPLE)
def test_a_huge_report_looks_as_the_committed_one(suffix: str) -> None:
    out = io.StringIO()
    FORMATS[suffix].render(huge(), out)
    compare(out.getvalue(), f"huge.{suffix}")


def test_a_huge_report_is_the_committed_one_for_programs() -> None:
    lines = []
    for suffix, renderer in FORMATS.items():
        if suffix not in READ_BY_PEOPLE:
            out = io.StringIO()
            renderer.render(huge(), out)
            data = out.getvalue().encode()
            lines.append(f"{hashlib.sha256(data).hexdigest()} {len(data)} bytes huge.{suffix}\n")
    compare("".join(lines), "huge.sha256")


@pytest.mark.parametrize("name", [*REPORTS, "huge"])
def test_a_block_of_a_running_trace_looks_as_the_committed_one(name: str) -> None:
    out = io.StringIO()
    report = huge() if name == "huge" else REPORTS[name]()
    LiveRenderer(width=100, color=False).render(LiveReport(window=report, total=report), out)
    compare(out.getvalue(), f"{name}.block.txt")


def test_colours_look_as_the_committed_ones() -> None:
    out = io.StringIO()
    TerminalRenderer(width=80, color=True).render(REPORTS["typical"](), out)
    compare(out.getvalue(), "typical.color.txt")


def test_a_live_block_looks_as_the_committed_one() -> None:
    out = io.StringIO()
    window = build_window(shop_stream().fold(), target=API, options=ReportOptions(), client=CLIENT)
    LiveRenderer(width=80, color=False).render(window, out)
    compare(out.getvalue(), "typical.live.txt")
