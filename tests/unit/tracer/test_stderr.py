from __future__ import annotations

import os
from pathlib import Path

import pytest

from podtrace_tracer.stderr import captured_stderr


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_what_is_written_to_descriptor_2_can_be_read_and_does_not_get_out(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before\n")
    with captured_stderr() as said:
        os.write(2, b"from C: ")
        assert said() == "from C: "
        os.write(2, b"bad \xff byte\n")
    os.write(2, b"after\n")
    assert said is not None
    assert capfd.readouterr().err == "before\nafter\n"


def test_the_text_is_bounded_and_bad_bytes_are_replaced() -> None:
    with captured_stderr() as said:
        os.write(2, b"\xff" + b"x" * (1 << 20))
        assert said() == "\N{REPLACEMENT CHARACTER}" + "x" * ((1 << 20) - 1)


def test_descriptor_2_comes_back_after_an_error_and_nothing_stays_open() -> None:
    before, place = open_descriptors(), os.fstat(2)
    with pytest.raises(ZeroDivisionError), captured_stderr():
        raise ZeroDivisionError
    assert (os.fstat(2).st_dev, os.fstat(2).st_ino) == (place.st_dev, place.st_ino)
    assert open_descriptors() == before
