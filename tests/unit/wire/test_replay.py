"""A stream that a first-version tracer wrote still reads the same.

A change of the wire shows here. If it is meant: raise WIRE_VERSION, note it in its history, and add a stream of the new
version beside this one (`PODTRACE_UPDATE_GOLD=1` writes it anew while a version is not released).
"""

from __future__ import annotations

import os
from pathlib import Path

from kubectl_podtrace.wire.codec import Line, decode, encode
from kubectl_podtrace.wire.records import type_of_kind
from kubectl_podtrace.wire.version import WIRE_VERSION
from tests.unit.streams import every_kind_stream

STREAM = Path(__file__).parent / "first_version.jsonl"


def test_the_committed_stream_is_what_is_written_today() -> None:
    lines = every_kind_stream().lines
    if os.environ.get("PODTRACE_UPDATE_GOLD"):
        STREAM.write_bytes(b"".join(lines))
    assert STREAM.read_bytes().splitlines(keepends=True) == lines


def test_every_line_of_the_committed_stream_decodes_and_encodes_to_itself() -> None:
    for data in STREAM.read_bytes().splitlines(keepends=True):
        line = decode(data)
        assert isinstance(line, Line)
        assert encode(line) == data


def test_the_committed_stream_holds_every_kind_of_record() -> None:
    decoded = [decode(data) for data in STREAM.read_bytes().splitlines()]
    kinds = {type(line.record) for line in decoded if isinstance(line, Line)}
    assert kinds == set(type_of_kind.values())


def test_the_version_is_that_of_the_committed_stream() -> None:
    assert WIRE_VERSION == 1
