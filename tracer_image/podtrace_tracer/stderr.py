"""stderr of C libraries, kept off the stream: the container runtime would interleave it with records."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """File descriptor 2 goes to a file meanwhile; the function that is given returns what was written so far."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)

        def text() -> str:
            size = os.fstat(said.fileno()).st_size
            return os.pread(said.fileno(), min(size, 1 << 20), 0).decode("utf-8", "replace")

        try:
            yield text
        finally:
            os.dup2(kept, 2)
            os.close(kept)
