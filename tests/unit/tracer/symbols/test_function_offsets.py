"""Functions by their names, in files of this machine and in broken ones."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtrace_tracer.symbols.elf import ElfError
from podtrace_tracer.symbols.function_offsets import function_offsets


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def c_library() -> Path:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return next(Path(line.split()[-1]) for line in lines if "libc.so" in line or "libc-" in line)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads its own memory maps in /proc")
def test_a_function_is_where_the_loader_finds_it() -> None:
    path = c_library()
    with opened(path) as descriptor:
        offsets = function_offsets(descriptor, {"getpid", "qsort", "no_such_function"})
    assert offsets.keys() == {"getpid", "qsort"}
    address = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
    assert address is not None
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, _, offset, *_ = line.split()
        first, last = (int(end, 16) for end in addresses.split("-"))
        if first <= address < last:
            assert offsets["getpid"] == address - first + int(offset, 16)


def test_a_file_without_these_functions_has_none() -> None:
    with opened(Path("/bin/sh")) as descriptor:
        assert function_offsets(descriptor, {"PQexec"}) == {}


def test_what_is_no_elf_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing of the kind")
    with opened(tmp_path / "text") as descriptor, pytest.raises(ElfError):
        function_offsets(descriptor, {"PQexec"})


@given(places=st.dictionaries(st.integers(0, 4_000), st.integers(0, 255), max_size=20), length=st.integers(64, 20_000))
def test_a_broken_file_ends_in_an_answer_or_a_refusal(places: dict[int, int], length: int) -> None:
    data = bytearray(Path("/bin/sh").read_bytes()[:length])
    for place, value in places.items():
        data[place % len(data)] = value
    descriptor = os.memfd_create("broken")
    try:
        os.write(descriptor, bytes(data))
        assert isinstance(function_offsets(descriptor, {"PQexec", "main"}), dict)
    except ElfError:
        pass
    finally:
        os.close(descriptor)
