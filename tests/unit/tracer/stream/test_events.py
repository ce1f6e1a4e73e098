from __future__ import annotations

import ctypes
import json
import socket
from ipaddress import ip_address
from typing import Any

import pytest

from podtrace_tracer.kernel.ring import RingRecord
from podtrace_tracer.programs.program import operation_index
from podtrace_tracer.readers.model import Takers
from podtrace_tracer.readers.paths import Paths
from podtrace_tracer.stream.emit import Emitter
from podtrace_tracer.stream.events import RECORD_EVENT, RECORD_PATH, Events
from tests.unit.tracer.memory_programs import MemoryPrograms, constants, structs


class Bench:
    """Events between a ring in memory and lines."""

    def __init__(self, *, limited: bool = True, topics: tuple[str, ...] | None = None) -> None:
        self.programs = MemoryPrograms(topics) if topics else MemoryPrograms()
        self.paths = Paths()
        self._data = b""
        self.emitter = Emitter(lambda: 0, self._write)
        self._events = Events(self.programs, self.emitter, self.paths, limited=limited, takers=Takers())

    def _write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def file(self, dentry: int) -> Any:
        return structs()["file_key"](dentry=dentry, scope=1)

    def happens(self, operation: str, **fields: Any) -> None:
        data = self.programs.value("event_scratch", record=RECORD_EVENT, operation=operation_index(operation), **fields)
        self.programs.ring.append(RingRecord(RECORD_EVENT, data))

    def learns(self, dentry: int, names: bytes) -> None:
        fields = {"record": RECORD_PATH, "file": self.file(dentry), "length": len(names)}
        head = self.programs.value("path_scratch", **fields)[: structs()["path_record"].names.offset]
        # The programs send no more of the names than there is.
        self.programs.ring.append(RingRecord(RECORD_PATH, head + names))

    def drained(self) -> list[dict[str, Any]]:
        self._data = b""
        self._events.drain()
        return [json.loads(line) for line in self._data.splitlines()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_event_s_fields_arrive(bench: Bench) -> None:
    bench.happens(
        "processes.exit",
        scope=3,
        pid=7,
        node_pid=1007,
        tgid=1007,
        comm=b"job\xff",
        start_ns=2**60,
        duration_ns=9,
        result=42,
        signal=9,
        text=b"why",
    )
    (line,) = bench.drained()
    del line["seq"], line["at_ns"]
    assert line == {
        "kind": "event",
        "scope": 3,
        "operation": "processes.exit",
        "pid": 7,
        "node_pid": 1007,
        "comm": "job\\xff",
        "start_ns": 2**60,
        "duration_ns": 9,
        "errno": 0,
        "signal": 9,
        "result": 42,
        "slow": False,
        "name": "why",
        "address": "",
        "port": 0,
    }


@pytest.mark.parametrize("address", ["192.0.2.9", "2001:db8::9"])
def test_a_connection_s_address_is_text(bench: Bench, address: str) -> None:
    raw = ip_address(address)
    family = socket.AF_INET if raw.version == 4 else socket.AF_INET6
    octets = (ctypes.c_ubyte * 16)(*raw.packed)
    bench.happens("connections.attempt", family=family, port=443, address=octets, error=111)
    (line,) = bench.drained()
    assert (line["address"], line["port"], line["errno"]) == (address, 443, 111)


def test_a_negative_result_arrives_as_one(bench: Bench) -> None:
    bench.happens("files.write", result=-5, error=5)
    assert bench.drained()[0]["result"] == -5


def test_a_slow_operation_has_the_path_that_comes_behind_it(bench: Bench) -> None:
    bench.happens("files.fsync", file=bench.file(5), slow=1)
    bench.learns(5, b"wal\0db\0")
    bench.happens("files.fsync", file=bench.file(6), slow=1)
    first, second = bench.drained()
    assert (first["name"], first["slow"]) == ("/db/wal", True)
    assert second["name"] == ""


def test_a_path_longer_than_its_names_is_not_made_up(bench: Bench) -> None:
    bench.learns(5, b"wal\0db\0")
    bench.drained()
    bench.happens("files.read", file=bench.file(5), error=5)
    assert bench.drained()[0]["name"] == "/db/wal"


def test_a_flood_is_limited_where_it_was_asked_for_and_nowhere_else() -> None:
    counts = {}
    for limited in (True, False):
        bench = Bench(limited=limited)
        for _ in range(200):
            bench.happens("files.open", error=2, text=b"/none")
        counts[limited] = len(bench.drained())
        assert counts[limited] + bench.emitter.suppressed()["files.open"] == 200
    assert counts[False] == 200
    assert 0 < counts[True] < 50


def test_programs_without_files_have_events_and_no_paths() -> None:
    bench = Bench(topics=("processes",))
    bench.happens("processes.exec", text=b"/bin/true")
    assert bench.drained()[0]["name"] == "/bin/true"


def test_the_kinds_of_ring_records_are_those_of_the_c_text() -> None:
    assert (constants()["RECORD_EVENT"], constants()["RECORD_PATH"]) == (RECORD_EVENT, RECORD_PATH)
