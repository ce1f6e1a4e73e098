"""What a report is drawn up with: topics and thresholds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the trace was asked for: topics and thresholds as set."""

    topics: tuple[str, ...]
    error_threshold_ratio: float
    rtt_threshold_ns: int
    fs_threshold_ns: int
