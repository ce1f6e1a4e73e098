"""One module per format; each renderer gets a report and nothing else."""

from __future__ import annotations

from typing import Protocol, TextIO

from kubectl_podtrace.report.model import Report


class Renderer(Protocol):
    """A format."""

    def render(self, report: Report, out: TextIO) -> None:
        """Writes the whole report."""
