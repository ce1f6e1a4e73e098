"""In which unit a number of the report stands, by the name of its field: the endings say it."""

from __future__ import annotations

from typing import Final

ENDINGS: Final = ("_ns", "_bytes", "_ratio", "_per_s", "_s")
"""What names of numbers end with to say their unit."""
_NUMBERS: Final = frozenset({
    "schema_version", "pid", "node_pid", "port", "code", "signal", "exit_code", "exit_status", "run", "line", "offset",
    "last_code", "last_signal", "tid", "node_tid",
    # Of a gate's condition, which has its unit beside it.
    "threshold", "found",
})  # fmt: skip
"""Fields whose numbers are no amounts: they have no unit."""
_UNITS: Final = (
    ("_bytes_per_s", "bytes/s"), ("_bytes_per_op", "bytes"), ("per_s", "1/s"), ("_ns", "ns"), ("_bytes", "bytes"),
    ("_ratio", "ratio"), ("_s", "s"), ("factor", "ratio"),
)  # fmt: skip
"""Units by how a field's name ends."""


def unit_of(name: str, *, is_whole: bool) -> str:
    """The unit of a field's number, whole or not; nothing for numbers that are no amounts.

    >>> unit_of("p99_ns", is_whole=True), unit_of("events", is_whole=True), unit_of("pid", is_whole=True)
    ('ns', 'count', '')
    """
    known = "" if name in _NUMBERS else "count" if is_whole else "ratio"
    exact = {"bytes": "bytes", "growth": "count"}.get(name)
    return exact or next((unit for ending, unit in _UNITS if name.endswith(ending)), known)
