"""The report as one JSON object, for programs. ASCII only, so that no name in it can steer a terminal."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, TextIO

from kubectl_podtrace import units
from kubectl_podtrace.report.model import Report


class JsonRenderer:
    """Keys and meanings as in the schema that ships beside this package's code."""

    def render(self, report: Report, out: TextIO) -> None:
        """Writes the object, indented, with a newline at the end."""
        json.dump(plain_object(report), out, indent=2, allow_nan=False)
        out.write("\n")


def plain_object(value: Any) -> Any:
    """Dataclasses as objects in the order of their fields, times as RFC 3339 text, tuples as lists."""
    if is_dataclass(value):
        return {field.name: plain_object(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return units.rfc3339(value)
    if isinstance(value, tuple):
        return [plain_object(item) for item in value]
    if isinstance(value, dict):
        return {key: plain_object(item) for key, item in value.items()}
    return value
