"""Records to lines and lines to records.

A line is a JSON object `{"kind": ..., "seq": ..., "at_ns": ..., FIELDS}` in ASCII, at most `MAX_LINE` bytes. What is
decoded has been checked field by field: a container can put anything into a name, and a broken log anything on a line.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from kubectl_podtrace.wire.fields import CUT_MARK, MAX_LINE, MAX_TEXT, Limit
from kubectl_podtrace.wire.records import Record, Refusal, Trailer, type_of_kind

KIND_OF_TYPE: Final = MappingProxyType({record_type: kind for kind, record_type in type_of_kind.items()})
_LAST_KINDS: Final = (b'{"kind":"trailer"', b'{"kind":"refusal"')
"""How the last line of a stream begins: not every line is decoded to know it."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A record in its place: its sequence number and the monotonic time at which it was written."""

    seq: int
    at_ns: int
    record: Record


@dataclass(frozen=True, kw_only=True)
class UnknownKind:
    """A well-formed line of a kind that this version does not know; it has its place in the sequence all the same."""

    seq: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A line that is no record. `reason` is our word, never the line's own text."""

    reason: str


class LineTooLongError(ValueError):
    """A record does not fit on one line."""


class _InvalidError(ValueError):
    """A value that the record's definition does not allow."""


def encode(line: Line) -> bytes:
    """One line with its newline. Raises LineTooLongError beyond `MAX_LINE` bytes."""
    body = {"kind": KIND_OF_TYPE[type(line.record)], "seq": line.seq, "at_ns": line.at_ns, **_plain_fields(line.record)}
    data = json.dumps(body, separators=(",", ":")).encode("ascii") + b"\n"
    if len(data) > MAX_LINE:
        raise LineTooLongError(f"a {body['kind']} record of {len(data)} bytes")
    return data


def clean_text(raw: bytes) -> str:
    r"""A name out of the kernel as text: invalid UTF-8 as `\xNN`, cut at `MAX_TEXT` bytes with the cut marked."""
    if len(raw) <= MAX_TEXT:
        text = raw.decode("utf-8", "backslashreplace")
        if len(text) <= MAX_TEXT:
            return text
    else:
        text = raw[:MAX_TEXT].decode("utf-8", "backslashreplace")
    return text[: MAX_TEXT - len(CUT_MARK)] + CUT_MARK


def ends_stream(line: bytes) -> bool:
    """Whether a line is a tracer's last one: the trailer, or its refusal to trace."""
    if not line.startswith(_LAST_KINDS):
        return False
    found = decode(line)
    return isinstance(found, Line) and isinstance(found.record, Trailer | Refusal)


def decode(data: bytes) -> Line | UnknownKind | Noise:
    """What a line of the stream holds; never raises, whatever the bytes."""
    if len(data) > MAX_LINE:
        return Noise(reason="too long")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return Noise(reason="not JSON")
    if not isinstance(body, dict):
        return Noise(reason="not an object")
    try:
        kind, seq, at_ns = body.pop("kind", None), body.pop("seq", None), body.pop("at_ns", None)
        if not isinstance(kind, str):
            raise _InvalidError("no kind")
        number = _integer(Limit())
        seq, at_ns = number(seq), number(at_ns)
        record_type = type_of_kind.get(kind)
        if record_type is None:
            return UnknownKind(seq=seq, kind=kind[:32])
        record = _by_name(record_type)(body)
    except _InvalidError as error:
        return Noise(reason=str(error))
    return Line(seq=seq, at_ns=at_ns, record=record)


def _plain_fields(value: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        if type(value).__name__.endswith("Row"):
            return [_plain(getattr(value, field.name)) for field in fields(value)]
        return _plain_fields(value)
    return value


Decoder = Callable[[Any], Any]


@cache
def _by_name(record_type: type[Any]) -> Decoder:
    """Decodes an object with at least the fields of `record_type`; further ones are ignored (newer tracers)."""
    decoders = _field_decoders(record_type)

    def decode_object(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _InvalidError(f"{record_type.__name__}: not an object")
        missing = next((name for name in decoders if name not in value), None)
        if missing is not None:
            raise _InvalidError(f"{record_type.__name__}: no {missing}")
        return record_type(**{name: decoder(value[name]) for name, decoder in decoders.items()})

    return decode_object


@cache
def _by_position(row_type: type[Any]) -> Decoder:
    decoders = _field_decoders(row_type)

    def decode_row(value: Any) -> Any:
        if not isinstance(value, list) or len(value) < len(decoders):
            raise _InvalidError(f"{row_type.__name__}: not a row")
        return row_type(**{name: decoder(item) for (name, decoder), item in zip(decoders.items(), value, strict=False)})

    return decode_row


def _field_decoders(record_type: type[Any]) -> dict[str, Decoder]:
    hints = typing.get_type_hints(record_type, include_extras=True)
    return {field.name: _decoder(hints[field.name]) for field in fields(record_type)}


def _decoder(hint: Any) -> Decoder:
    if hint is bool:
        return _boolean
    if typing.get_origin(hint) is tuple:
        return _list(_decoder(typing.get_args(hint)[0]))
    if is_dataclass(hint):
        row = hint.__name__.endswith("Row")  # type: ignore[union-attr]
        return _by_position(hint) if row else _by_name(hint)  # type: ignore[arg-type]
    base, limit = typing.get_args(hint)
    return _integer(limit) if base is int else _text(limit)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _InvalidError("not a truth value")
    return value


def _list(item: Decoder) -> Decoder:
    def decode_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _InvalidError("not a list")
        return tuple(item(element) for element in value)

    return decode_list


def _integer(limit: Limit) -> Decoder:
    def decode_integer(value: Any) -> int:
        if type(value) is not int or not limit.low <= value <= limit.high:
            raise _InvalidError("a number out of range")
        return value

    return decode_integer


def _text(limit: Limit) -> Decoder:
    def decode_text(value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit.high:
            raise _InvalidError("text out of bounds")
        if limit.words is not None and value not in limit.words:
            raise _InvalidError("an unknown word")
        # A lone surrogate is valid JSON and would fail wherever the text is written.
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")

    return decode_text


def split_rows(record_type: Callable[..., Record], rows: typing.Sequence[Any]) -> Iterator[Record]:
    """Records of `record_type(rows=...)` that hold all rows, each one fit for a line with its place in the stream."""
    room = MAX_LINE - 200
    batch: list[Any] = []
    used = 0
    for row in rows:
        size = len(json.dumps(_plain(row), separators=(",", ":"))) + 1
        if batch and used + size > room:
            yield record_type(rows=tuple(batch))
            batch, used = [], 0
        batch.append(row)
        used += size
    if batch:
        yield record_type(rows=tuple(batch))
