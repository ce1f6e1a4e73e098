"""Reading DNS messages (RFC 1035): hostile input, perhaps cut off, of which as much is taken as can be trusted."""

from __future__ import annotations

import struct
from typing import Final

from kubectl_podtrace.wire.codec import clean_text
from podtrace_tracer.addresses import unmapped_text

TYPE_A, TYPE_AAAA = 1, 28
_ADDRESS_BYTES: Final = {TYPE_A: 4, TYPE_AAAA: 16}
_CLASS_IN: Final = 1
_MAX_NAME: Final = 255
_POINTER: Final = 0xC0
_HEADER: Final = struct.Struct("!HHHHHH")
_RECORD: Final = struct.Struct("!HHIH")
_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/")


def name_text(data: bytes) -> str:
    r"""A name as it stands in a message, written as zone files do: in small letters, what is not plain as `\DDD`.

    >>> name_text(b"\2db\4Shop\0and more"), name_text(b"\0")
    ('db.shop', '.')
    >>> name_text(b"\4a.b\n\0")
    'a\\.b\\010'
    """
    labels, place = [], 0
    while place < len(data) and data[place]:
        size = data[place]
        labels.append("".join(_letter(byte) for byte in data[place + 1 : place + 1 + size]))
        place += 1 + size
    return clean_text((".".join(labels) or ".").encode())


def _letter(byte: int) -> str:
    if byte in _PLAIN:
        return chr(byte).lower()
    return f"\\{chr(byte)}" if byte in b".\\" else f"\\{byte:03}"


def addresses(message: bytes) -> list[str]:
    """The addresses of the A and AAAA records in an answer; those behind a cut or a fault are left out."""
    if len(message) < _HEADER.size:
        return []
    _, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    place: int | None = _HEADER.size
    for _ in range(questions if flags & 0x8000 else 0):
        place = _behind_name(message, place)
        if place is None:
            return []
        place += 4
    found: list[str] = []
    for _ in range(answers):
        place = _behind_name(message, place)
        if place is None or place + _RECORD.size > len(message):
            break
        kind, of_class, _, size = _RECORD.unpack_from(message, place)
        data = message[place + _RECORD.size : place + _RECORD.size + size]
        if of_class == _CLASS_IN and len(data) == size == _ADDRESS_BYTES.get(kind):
            found.append(unmapped_text(data))
        place += _RECORD.size + size
    return found


def _behind_name(message: bytes, place: int | None) -> int | None:
    """Where the name at a place ends: at its root, or at a pointer, which is not followed."""
    if place is None:
        return None
    first = place
    while place < len(message) and place - first <= _MAX_NAME:
        size = message[place]
        if size >= _POINTER:
            return place + 2
        if size >= 64:
            return None
        place += 1 + size
        if not size:
            return place
    return None
