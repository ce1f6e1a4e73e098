"""The JSON Schema of the export: shipped as a file, derived from the report's model."""

from __future__ import annotations

import inspect
import json
import types
import typing
from dataclasses import fields, is_dataclass
from datetime import datetime
from importlib import resources
from typing import Any, Final

from kubectl_podtrace.report.model import SCHEMA_VERSION, Report

FILE_NAME: Final = "report.schema.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    float: {"type": "number", "minimum": 0},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"},
}
_SIGNED: Final = frozenset({"exit_status", "growth", "threshold", "found"})


def shipped_schema() -> dict[str, Any]:
    """The schema as it ships with the package."""
    text = resources.files(__name__).joinpath(FILE_NAME).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def schema_of_model() -> dict[str, Any]:
    """The schema that the model says; what ships must equal it."""
    definitions: dict[str, Any] = {}
    root = _object(Report, definitions)
    root["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    return {"$schema": DIALECT, "title": "kubectl-podtrace report", **root, "$defs": dict(sorted(definitions.items()))}


def _object(model: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(model)
    names = [field.name for field in fields(model)]
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(model) or "").split()),
        "properties": {name: _schema(hints[name], definitions, name) for name in names},
        "required": names,
        "additionalProperties": False,
    }


def _schema(hint: Any, definitions: dict[str, Any], name: str) -> dict[str, Any]:
    if hint is int:
        return {"type": "integer"} if name in _SIGNED else {"type": "integer", "minimum": 0}
    if hint in _SCALARS:
        scalar = dict(_SCALARS[hint])
        return {**scalar, "maximum": 1} if name == "share_ratio" else scalar
    if is_dataclass(hint):
        assert isinstance(hint, type)
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    return _generic(hint, definitions, name)


def _generic(hint: Any, definitions: dict[str, Any], name: str) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], definitions, name)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions, name)}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    assert origin in (typing.Union, types.UnionType), hint
    return {"anyOf": [_schema(argument, definitions, name) for argument in arguments]}
