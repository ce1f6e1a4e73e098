from __future__ import annotations

import sys

import pytest

from podtrace_tracer.memory import release_compiler


@pytest.mark.skipif(sys.platform != "linux", reason="the tracer runs on Linux only")
def test_giving_memory_back_breaks_nothing_where_there_is_no_compiler() -> None:
    kept = bytearray(b"x" * (1 << 20))
    release_compiler()
    assert kept == b"x" * (1 << 20)
