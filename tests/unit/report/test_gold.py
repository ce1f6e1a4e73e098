"""Whole documents, compared with the committed ones. PODTRACE_UPDATE_GOLD=1 writes them anew."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from kubectl_podtrace.report.build import ReportOptions, build_window
from kubectl_podtrace.report.render import Renderer
from kubectl_podtrace.report.render.html import HtmlRenderer
from kubectl_podtrace.report.render.json_export import JsonRenderer
from kubectl_podtrace.report.render.live import LiveRenderer
from kubectl_podtrace.report.render.markdown import MarkdownRenderer
from kubectl_podtrace.report.render.terminal import TerminalRenderer
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
}


def compare(text: str, name: str) -> None:
    path = GOLD / name
    if os.environ.get("PODTRACE_UPDATE_GOLD"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_looks_as_the_committed_one(name: str, suffix: str) -> None:
    out = io.StringIO()
    FORMATS[suffix].render(REPORTS[name](), out)
    compare(out.getvalue(), f"{name}.{suffix}")


def test_colours_look_as_the_committed_ones() -> None:
    out = io.StringIO()
    TerminalRenderer(width=80, color=True).render(REPORTS["typical"](), out)
    compare(out.getvalue(), "typical.color.txt")


def test_a_live_block_looks_as_the_committed_one() -> None:
    out = io.StringIO()
    window = build_window(shop_stream().fold(), target=API, options=ReportOptions(), client=CLIENT)
    LiveRenderer(width=80, color=False).render(window, out)
    compare(out.getvalue(), "typical.live.txt")
