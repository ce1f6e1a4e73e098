"""Descriptors: how many were opened and closed."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.selection import Selection


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """The section `descriptors`: opens of the open family that succeeded and failed, and closes."""

    opened: int
    failed_opens: int
    closed: int
    by_kind: None = None
    leaks: None = None


def descriptors(selection: Selection) -> Descriptors:
    """The section `descriptors` of the selected scopes."""
    opens, closes = selection.of("files.open"), selection.of("descriptors.close")
    return Descriptors(
        opened=opens.count - opens.errors, failed_opens=opens.errors, closed=closes.count - closes.errors
    )
