"""Prints a table in the report's own manner, for the verbs that write no report."""

from __future__ import annotations

from typing import TextIO

from kubectl_podtrace.report.document import Section


def print_section(section: Section, out: TextIO) -> None:
    """Write a section for a terminal's width, or unfolded for a pipe."""
    from kubectl_podtrace.report.render.layout import lay_out
    from kubectl_podtrace.report.render.terminal import NARROWEST_PAGE, console_for, write_lines
    from kubectl_podtrace.report.writer import page_of

    page = page_of(out)
    width = None if page.width is None else max(page.width, NARROWEST_PAGE)
    write_lines(console_for(out, color=page.color), lay_out(section, width))
    out.flush()
