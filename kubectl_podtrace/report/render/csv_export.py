"""The report as one long table for spreadsheets, a number or text a row: `section,key,name,metric,value,unit`.

It is made from the model itself, so a section that the model has is in the table. RFC 4180; no text in it can be taken
for a formula.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Final, TextIO

from kubectl_podtrace import units
from kubectl_podtrace.analysis.endpoints import endpoint
from kubectl_podtrace.analysis.sections import Sections
from kubectl_podtrace.report.amounts import unit_of
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.text import spreadsheet

COLUMNS: Final = ("section", "key", "name", "metric", "value", "unit")
MEASURED: Final = "measured"
"""The metric that says whether a section has numbers."""
_IDENTITIES: Final = (
    "rule", "slug", "address", "path", "name", "symbol", "statement", "operation", "comm", "table", "source", "title",
    "container", "module", "lacks", "what", "reason", "cause",
)  # fmt: skip
"""What an entry of a list is called by: the first of these fields that it has."""
_SECTIONS: Final = frozenset(field.name for field in fields(Sections))

Row = tuple[str, str, str, str, str, str]


class CsvRenderer:
    """Keys and metrics are those of the JSON export."""

    def render(self, report: Report, out: TextIO) -> None:
        """Writes the header and a row for each value of the report."""
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows(rows_of(report))


def rows_of(report: Report) -> Iterator[Row]:
    """All rows, in the order of the report's fields; the text in them is fit for a spreadsheet."""
    for field in fields(report):
        value = getattr(report, field.name)
        if field.name in _SECTIONS:
            yield _row(field.name, (), "", MEASURED, value is not None)
        if value is not None or field.name not in _SECTIONS:
            yield from _rows(field.name, (), "", field.name, value)


def _rows(section: str, key: tuple[str, ...], name: str, metric: str, value: Any) -> Iterator[Row]:
    """The rows of a value at a place in a section: of a section itself, the place is empty."""
    if is_dataclass(value):
        for field in fields(value):
            inner = getattr(value, field.name)
            is_leaf = not (is_dataclass(inner) or isinstance(inner, tuple | dict))
            yield from _rows(section, key if is_leaf else (*key, field.name), name, field.name, inner)
    elif isinstance(value, tuple):
        for number, entry in enumerate(value, start=1):
            yield from _rows(section, (*key, str(number)), _identity(entry) or name, metric, entry)
    elif isinstance(value, dict):
        for entry, inner in value.items():
            yield from _rows(section, key, str(entry), "count" if isinstance(inner, int) else metric, inner)
    else:
        yield _row(section, key, name, metric, value)


def _row(section: str, key: tuple[str, ...], name: str, metric: str, value: Any) -> Row:
    return (section, ".".join(key), spreadsheet(name), metric, _text(value), _unit(metric, value))


def _identity(entry: Any) -> str:
    """What an entry of a list is called; nothing where it has no name."""
    for field in _IDENTITIES:
        found = getattr(entry, field, None)
        if isinstance(found, str) and found:
            port = getattr(entry, "port", None)
            return endpoint(found, port) if field == "address" and port else found
    return ""


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return units.rfc3339(value)
        case str():
            return spreadsheet(value)
        case _:
            return str(value)


def _unit(metric: str, value: Any) -> str:
    match value:
        case None | bool() | str():
            return ""
        case datetime():
            return "time"
        case _:
            return unit_of(metric, is_whole=isinstance(value, int))
