"""Streams that tracers wrote, of each version of the wire, still read the same.

A change of the wire shows here. If it is meant: raise WIRE_VERSION, note it in its history, and add a stream of the new
version beside the others (`PODTRACE_UPDATE_GOLD=1` writes the newest one anew while its version is not released).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubectl_podtrace.wire.codec import Line, decode, encode
from kubectl_podtrace.wire.records import Header, type_of_kind
from kubectl_podtrace.wire.version import READABLE_VERSIONS, WIRE_VERSION
from tests.unit.every_kind import every_kind_stream
from tests.unit.streams import folded

STREAMS = {number: Path(__file__).parent / f"{word}_version.jsonl" for number, word in ((1, "first"), (2, "second"))}
NEWEST = STREAMS[WIRE_VERSION]


def lines_of(stream: Path) -> list[bytes]:
    return stream.read_bytes().splitlines(keepends=True)


def test_the_newest_committed_stream_is_what_is_written_today() -> None:
    lines = every_kind_stream().lines
    if os.environ.get("PODTRACE_UPDATE_GOLD"):
        NEWEST.write_bytes(b"".join(lines))
    assert lines_of(NEWEST) == lines


def test_the_newest_committed_stream_holds_every_kind_of_record() -> None:
    decoded = [decode(data) for data in lines_of(NEWEST)]
    kinds = {type(line.record) for line in decoded if isinstance(line, Line)}
    assert kinds == set(type_of_kind.values())


@pytest.mark.parametrize("version", STREAMS)
def test_every_line_of_a_committed_stream_decodes_and_encodes_to_itself(version: int) -> None:
    for data in lines_of(STREAMS[version]):
        line = decode(data)
        assert isinstance(line, Line)
        assert encode(line) == data
        if isinstance(line.record, Header):
            assert line.record.wire_version == version


@pytest.mark.parametrize("version", STREAMS)
def test_a_committed_stream_is_folded_without_a_doubt(version: int) -> None:
    fold = folded(lines_of(STREAMS[version]))
    assert (fold.noise_lines, fold.unknown_lines, fold.broken_rows, fold.trailer_mismatches) == (0, 0, 0, 0)


def test_there_is_a_stream_of_every_version_that_can_be_read() -> None:
    assert set(STREAMS) == READABLE_VERSIONS
