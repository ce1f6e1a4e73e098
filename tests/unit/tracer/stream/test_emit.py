from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from kubectl_podtrace.wire.fields import MAX_LINE, MAX_TEXT
from kubectl_podtrace.wire.file_records import FileRow, Files
from kubectl_podtrace.wire.records import LostRow, Notice, SuppressedRow
from podtrace_tracer.stream.emit import Emitter, ReaderGoneError, suppressed_rows
from podtrace_tracer.stream.event_room import OPERATION_BYTES_PER_S
from tests.unit.tracer.events import an_event


class Reader:
    """Takes bytes as a pipe does; `at_most` of them at a time."""

    def __init__(self, at_most: int = 1 << 20) -> None:
        self.data = b""
        self._at_most = at_most

    def write(self, data: bytes) -> int:
        self.data += data[: self._at_most]
        return min(len(data), self._at_most)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.data.splitlines()]


def emitter_to(reader: Reader) -> Emitter:
    clock = itertools.count(100)
    return Emitter(lambda: next(clock), reader.write)


def notice(text: str = "something to know") -> Notice:
    return Notice(slug="note", text=text)


def too_long() -> Files:
    rows = [
        FileRow(scope=0, key=key, path="x" * MAX_TEXT, operations=1, bytes=1, slow=0, total_ns=1, opened=0)
        for key in range(MAX_LINE // MAX_TEXT + 1)
    ]
    return Files(rows=tuple(rows))


def test_lines_are_numbered_from_zero_and_dated() -> None:
    reader = Reader()
    emitter = emitter_to(reader)
    sizes = [emitter.emit(notice()) for _ in range(3)]
    assert [(line["seq"], line["at_ns"]) for line in reader.lines] == [(0, 100), (1, 101), (2, 102)]
    assert sum(sizes) == emitter.bytes == len(reader.data)


def test_several_records_are_written_in_their_order() -> None:
    reader = Reader()
    assert emitter_to(reader).emit_all(notice(text) for text in ("a", "b")) == len(reader.data)
    assert [line["text"] for line in reader.lines] == ["a", "b"]


def test_a_pipe_that_takes_a_few_bytes_at_a_time_gets_whole_lines() -> None:
    reader = Reader(at_most=7)
    emitter_to(reader).emit_all([notice(), notice()])
    assert [line["seq"] for line in reader.lines] == [0, 1]


def test_a_record_too_long_for_a_line_is_counted_and_takes_no_number() -> None:
    reader = Reader()
    emitter = emitter_to(reader)
    assert emitter.emit(too_long()) == 0
    emitter.emit(notice())
    assert [line["seq"] for line in reader.lines] == [0]
    assert emitter.dropped() == (LostRow(source="files records too long for a line", topic="all", count=1),)


def test_nothing_is_dropped_at_first() -> None:
    emitter = emitter_to(Reader())
    assert (emitter.dropped(), emitter.suppressed(), emitter.bytes) == ((), Counter(), 0)


def test_events_beyond_their_room_are_counted_by_operation_and_the_next_second_has_room_again() -> None:
    reader = Reader()
    emitter = emitter_to(reader)
    for _ in range(100):
        emitter.emit_event(an_event("files.open", errno=2))
    sent = len(reader.lines)
    assert OPERATION_BYTES_PER_S <= emitter.bytes < OPERATION_BYTES_PER_S + MAX_LINE
    assert emitter.suppressed() == Counter({"files.open": 100 - sent})
    emitter.next_second()
    emitter.emit_event(an_event("files.open", errno=2))
    assert len(reader.lines) == sent + 1


def test_a_flood_of_failed_opens_hides_no_connection_no_exit_and_no_other_record() -> None:
    reader = Reader()
    emitter = emitter_to(reader)
    for _ in range(1000):
        emitter.emit_event(an_event("files.open", errno=2))
    rare = [
        an_event("connections.attempt"),
        an_event("connections.attempt", errno=111),
        an_event("processes.exit", signal=9),
    ]
    for event in rare:
        emitter.emit_event(event)
    emitter.emit(notice())
    assert [line.get("operation", line["kind"]) for line in reader.lines[-4:]] == [
        "connections.attempt",
        "connections.attempt",
        "processes.exit",
        "notice",
    ]


def test_a_reader_that_has_gone_is_told_from_other_failures() -> None:
    read, write = os.pipe()
    os.close(read)
    emitter = Emitter(lambda: 0, lambda data: os.write(write, data))
    with pytest.raises(ReaderGoneError):
        emitter.emit(notice())
    os.close(write)
    with pytest.raises(OSError, match="Bad file descriptor"):
        emitter.emit(notice())


def test_by_itself_it_writes_to_stdout() -> None:
    code = "from podtrace_tracer.stream.emit import Emitter; from kubectl_podtrace.wire.records import Notice\n"
    code += "print(end=Emitter(lambda: 5).emit(Notice(slug='s', text='t')) and '')"
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout) == {"kind": "notice", "seq": 0, "at_ns": 5, "slug": "s", "text": "t"}
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN  # as Python leaves it: no death


def test_suppressed_rows_are_in_a_fixed_order_and_leave_zeros_out() -> None:
    rows = suppressed_rows(Counter({"tcp.send": 2, "files.open": 1, "files.read": 0}))
    assert rows == (
        SuppressedRow(operation="files.open", count=1),
        SuppressedRow(operation="tcp.send", count=2),
    )
