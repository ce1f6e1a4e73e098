"""The record of activity, which timeline and patterns rest on; what all records have in common is in `records`."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.wire.fields import Count, Index


@dataclass(frozen=True, kw_only=True)
class ActivityRow:
    """Where the sums of one scope stood at each reading.

    `events` are all operations that count as events, `attempts` those to connect, `transfers` the sends and receives of
    TCP and UDP, and `bytes` theirs.
    """

    scope: Index
    events: tuple[Count, ...]
    attempts: tuple[Count, ...]
    transfers: tuple[Count, ...]
    bytes: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class Activity:
    """The readings of a second; the first is the last one of the second before, so a line holds growth by itself.

    A scope without a row did not change between these times. They are meant to be `interval_ns` apart.
    """

    interval_ns: Count
    times: tuple[Count, ...]
    rows: tuple[ActivityRow, ...]
