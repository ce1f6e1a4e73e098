"""Local mode's parts. Real: processes, pipes, signals and, as root, cgroups of this machine.

Fake: the tracer (a few lines of Python), and the texts of /proc where a test is about another machine than this one.
Asserted: what becomes of commands, lines and cgroups.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def deaf_to_sigterm() -> Iterator[None]:
    """Processes that are started now ignore SIGTERM, from their first instruction on."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, before)
