"""The plugin and the tracer without cluster, kernel or root.

Real: our modules. Fake: what stands around them, as each directory's own conftest says.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A busy machine is no failure: pytest-timeout watches over the whole test.
settings.register_profile("unit", deadline=None, max_examples=100)
settings.load_profile("unit")


@pytest.fixture(autouse=True, scope="session")
def _signals_as_from_a_terminal() -> Iterator[None]:
    """A background job's SIGINT and nohup's SIGHUP are ignored, and every process that is started inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler), signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGHUP, before[1])
