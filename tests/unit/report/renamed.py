"""The typical report with a hostile name wherever a container, a library or a program can choose one."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.model import Report
from tests.unit.report.reports import HOSTILE, typical

CHOSEN: Final = frozenset({
    "address", "addresses", "build_id", "comm", "container", "containers", "module", "name", "path", "pods", "reason",
    "source", "statement", "symbol", "target", "text",
})  # fmt: skip
"""Fields that hold what others say."""


def renamed() -> Report:
    """The report."""
    found: Report = _renamed(typical())
    return found


def _renamed(value: Any, field: str = "") -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _renamed(getattr(value, each.name), each.name) for each in fields(value)})
    if isinstance(value, tuple):
        return tuple(_renamed(each, field) for each in value)
    if isinstance(value, str) and field in CHOSEN and value != OTHER:
        return f"{value} {HOSTILE}"
    return value
