"""Single events for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubectl_podtrace.wire.records import Event

_PLAIN = Event(
    scope=0,
    operation="files.read",
    pid=7,
    node_pid=1007,
    comm="cat",
    start_ns=5,
    duration_ns=3,
    errno=0,
    signal=0,
    result=0,
    slow=False,
    name="",
    address="",
    port=0,
)


def an_event(operation: str, **fields: Any) -> Event:
    """An event of this operation; everything about it that does not matter is made up."""
    return replace(_PLAIN, operation=operation, **fields)
