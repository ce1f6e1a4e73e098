"""The records of how long processes lived; what all records have in common is said in `records`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from kubectl_podtrace.wire.fields import Count, Index, Limit, Text

OOM: Final = "OOM"
"""The name in the event of an exit: the kernel killed this process for memory."""


@dataclass(frozen=True, kw_only=True)
class LifetimeRow:
    """Processes of a name that ended with an exit code, or by a signal (then `code` is 0): how long they lived.

    `oom_kills` of them the kernel killed for memory. `lifetime_ns` and `longest_ns`: sum and longest, from a process's
    start, which may be before the trace. The first one ended at `first_ns`, the last one at `last_ns`.
    """

    scope: Index
    comm: Text
    code: Annotated[int, Limit(high=255)]
    signal: Annotated[int, Limit(high=127)]
    count: Count
    oom_kills: Count
    lifetime_ns: Count
    longest_ns: Count
    first_ns: Count
    last_ns: Count


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """Ended processes by name and status, as `Files`."""

    rows: tuple[LifetimeRow, ...]
