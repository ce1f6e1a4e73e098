from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.source import LineSplitter

LIMIT = 12


def feed_all(splitter: LineSplitter, chunks: list[bytes]) -> list[bytes]:
    return [line for chunk in chunks for line in splitter.feed(chunk)]


def test_lines_are_the_same_at_every_chunk_boundary() -> None:
    data = b'{"a":"\xc3\xa4"}\n\nlong enough to be cut\n\xff\xfe\nrest'
    whole = LineSplitter(LIMIT)
    expected = whole.feed(data)
    assert expected == [b'{"a":"\xc3\xa4"}', b"", b"long enough ", b"\xff\xfe"]
    for first in range(len(data)):
        for second in range(first, len(data)):
            splitter = LineSplitter(LIMIT)
            assert feed_all(splitter, [data[:first], data[first:second], data[second:]]) == expected
            assert splitter.rest() == b"rest"


@given(st.lists(st.binary(max_size=30)))
def test_chunks_do_not_matter_and_lines_are_bounded(chunks: list[bytes]) -> None:
    splitter = LineSplitter(LIMIT)
    lines = feed_all(splitter, chunks)
    *expected, rest = b"".join(chunks).split(b"\n")
    assert lines == [line[:LIMIT] for line in expected]
    assert splitter.rest() == rest[:LIMIT]


def test_the_rest_is_given_out_once() -> None:
    splitter = LineSplitter(LIMIT)
    splitter.feed(b"half")
    assert splitter.rest() == b"half"
    assert splitter.feed(b"\n") == [b""]
