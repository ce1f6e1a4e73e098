"""Times of a stream as dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


def wall_clock(epoch_ns: int) -> datetime:
    """A time in nanoseconds since 1970, never outside what a calendar can say.

    >>> wall_clock(1_000_000_000_000_000).isoformat(), wall_clock(1 << 64).year, wall_clock(-(1 << 70)).year
    ('1970-01-12T13:46:40+00:00', 2554, 1970)
    """
    microseconds = max(epoch_ns, 0) // 1_000
    latest = (_LATEST - _EPOCH) // timedelta(microseconds=1)
    return _EPOCH + timedelta(microseconds=min(microseconds, latest))
