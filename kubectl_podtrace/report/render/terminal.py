"""The report for a terminal, or for a pipe: the headline first, then the sections in reading order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TextIO

from kubectl_podtrace.report.document import Facts
from kubectl_podtrace.report.model import Headline, Report
from kubectl_podtrace.report.render.layout import Spans, lay_out, lay_out_facts
from kubectl_podtrace.report.sections import document

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NARROWEST_PAGE: Final = 80
STYLES: Final = {
    "title": "bold cyan",
    "head": "dim",
    "label": "dim",
    "name": "",
    "text": "",
    "verdict": "bold",
    "critical": "bold red",
    "warning": "yellow",
    "info": "blue",
    "next": "green",
    "next step": "green",
    "failed": "bold red",
    "not judged": "yellow",
    "passed": "green",
    "incomplete": "bold red",
    "partial": "bold red",
    "current": "reverse",
}


class TerminalRenderer:
    """Draws for a page of `width` columns; None (a pipe) folds nothing, so that every name stays in one piece."""

    def __init__(self, *, width: int | None, color: bool) -> None:
        self._width = None if width is None else max(width, NARROWEST_PAGE)
        self._color = color

    def render(self, report: Report, out: TextIO) -> None:
        """Writes the headline and all sections."""
        console = console_for(out, color=self._color)
        write_lines(console, lay_out_facts(headline_facts(report.headline), self._width, indent=0))
        for section in document(report):
            write_lines(console, ((), *lay_out(section, self._width)))


def headline_facts(headline: Headline) -> Facts:
    """The headline's lines, labelled."""
    pairs = [("verdict", headline.verdict), *(("fact", fact) for fact in headline.facts)]
    return Facts(pairs=(*pairs, ("next", headline.next_step), ("trust", headline.trust)))


def console_for(out: TextIO, *, color: bool, width: int | None = NARROWEST_PAGE) -> Console:
    """A console that interprets nothing: no markup, no emoji, no highlighting, no wrapping.

    `width` None is the terminal's own, whatever that becomes.
    """
    from rich.console import Console

    return Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
        legacy_windows=False,
    )


def write_lines(console: Console, lines: Iterable[Spans]) -> None:
    """Prints lines."""
    for spans in lines:
        line = styled(spans)
        line.rstrip()
        console.print(line, soft_wrap=True)


def styled(spans: Spans) -> Text:
    """A line, each span in its role's style; a label that has a style of its own gives it to itself."""
    from rich.text import Text

    line = Text(no_wrap=True, overflow="crop")
    for span in spans:
        style = STYLES.get(span.text.strip(), STYLES["label"]) if span.role == "label" else STYLES.get(span.role, "")
        line.append(span.text, style=style)
    return line
