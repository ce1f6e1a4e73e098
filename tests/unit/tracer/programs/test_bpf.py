from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from podtrace_tracer.kernel.ring import Ring, RingRecord
from podtrace_tracer.programs.bpf import possible_cpus
from podtrace_tracer.programs.compiler import layout_of

SIZE = 4096
BUSY, DISCARDED = 1 << 31, 1 << 30


class Inner(ctypes.Structure):
    _fields_ = (("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


class Padded(ctypes.Structure):
    """Holds what a C struct of the programs can hold: padding in the middle and at the end, an array, a struct."""

    _fields_ = (
        ("small", ctypes.c_ubyte),
        ("big", ctypes.c_ulonglong),
        ("signed", ctypes.c_longlong),
        ("inner", Inner),
        ("name", ctypes.c_char * 6),
        ("port", ctypes.c_ushort),
        ("scope", ctypes.c_uint),
        ("last", ctypes.c_ubyte),
    )


def test_a_struct_is_read_by_its_fields_whatever_its_padding() -> None:
    value = Padded(
        small=255, big=2**64 - 1, signed=-5, inner=Inner(a=1, b=2), name=b"a\0bc", port=65535, scope=7, last=9
    )
    layout = layout_of(Padded)
    assert layout.size == ctypes.sizeof(Padded)
    fields = layout.fields(bytes(value))
    assert fields.pop("name")[:1] == b"a"
    assert fields == {
        "small": 255,
        "big": 2**64 - 1,
        "signed": -5,
        "inner": struct.pack("=QQ", 1, 2),
        "port": 65535,
        "scope": 7,
        "last": 9,
    }
    numbers = {name: value for name, value in fields.items() if name not in ("signed", "inner")}
    assert {name: layout.unsigned(name, bytes(value)) for name in numbers} == numbers


def test_bytes_behind_a_nul_are_kept() -> None:
    class Text(ctypes.Structure):
        _fields_ = (("text", ctypes.c_char * 8),)

    assert layout_of(Text).fields(b"a\0b\0c\0\0d") == {"text": b"a\0b\0c\0\0d"}


def test_a_plain_number_is_a_struct_of_one_field() -> None:
    assert layout_of(ctypes.c_ulonglong).fields(struct.pack("=Q", 2**63)) == {"value": 2**63}


class Memory:
    """A file laid out as the kernel maps a ring buffer: the reader's place, the writer's, the data twice."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("ring")
        self._page = mmap.PAGESIZE
        os.ftruncate(self.descriptor, 2 * self._page + 2 * SIZE)
        self._end = 0

    def put(self, data: bytes, flags: int = 0) -> int:
        """Writes one record; returns its place."""
        start = self._end
        record = struct.pack("=II", len(data) | flags, 0) + data
        record = record.ljust((len(record) + 7) & ~7, b"\0")
        for offset, byte in enumerate(record):
            place = (start + offset) % SIZE
            for copy in (0, SIZE):
                os.pwrite(self.descriptor, bytes([byte]), 2 * self._page + copy + place)
        self._end += len(record)
        os.pwrite(self.descriptor, self._end.to_bytes(8, "little"), self._page)
        return start

    def finish(self, place: int, length: int) -> None:
        """The record at this place is complete."""
        os.pwrite(self.descriptor, length.to_bytes(4, "little"), 2 * self._page + place % SIZE)

    @property
    def read_up_to(self) -> int:
        return int.from_bytes(os.pread(self.descriptor, 8, 0), "little")


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory()
    yield memory
    os.close(memory.descriptor)


def record(kind: int, text: bytes) -> bytes:
    return struct.pack("=I", kind) + text


def test_records_are_read_in_their_order_and_once(memory: Memory) -> None:
    ring = Ring(memory.descriptor, SIZE)
    assert list(ring.read()) == []
    memory.put(record(1, b"abc"))
    memory.put(record(2, b"defgh"))
    assert list(ring.read()) == [RingRecord(1, record(1, b"abc")), RingRecord(2, record(2, b"defgh"))]
    assert list(ring.read()) == []
    assert memory.read_up_to == 16 + 24


def test_reading_stops_at_a_record_that_is_still_being_written(memory: Memory) -> None:
    ring = Ring(memory.descriptor, SIZE)
    memory.put(record(1, b"done"))
    place = memory.put(record(2, b"half"), BUSY)
    memory.put(record(3, b"behind"))
    assert [found.kind for found in ring.read()] == [1]
    memory.finish(place, 8)
    assert [found.kind for found in ring.read()] == [2, 3]


def test_a_record_that_was_given_up_is_passed_over(memory: Memory) -> None:
    ring = Ring(memory.descriptor, SIZE)
    memory.put(record(1, b"no"), DISCARDED)
    memory.put(record(2, b"yes"))
    assert [found.kind for found in ring.read()] == [2]


def test_a_record_across_the_end_of_the_memory_comes_whole(memory: Memory) -> None:
    ring = Ring(memory.descriptor, SIZE)
    for number in range(3 * SIZE // 400):
        text = bytes([number % 251]) * 390
        memory.put(record(number, text))
        assert list(ring.read()) == [RingRecord(number, record(number, text))]


def test_place_is_given_back_record_by_record(memory: Memory) -> None:
    ring = Ring(memory.descriptor, SIZE)
    memory.put(record(1, b"abc"))
    memory.put(record(2, b"abc"))
    reading = ring.read()
    next(reading)
    next(reading)
    assert memory.read_up_to == 16


def test_possible_cpus_are_at_least_those_that_are_there() -> None:
    if not Path("/sys/devices/system/cpu/possible").exists():
        pytest.skip("this is not Linux")
    assert possible_cpus() >= (os.cpu_count() or 1)
