"""What the graphical formats draw, whatever they draw it with: numbers beside the texts that people read.

Strings are raw, as in `report.document`. Times are dates, durations nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Tone = Literal["plain", "good", "doubt", "bad"]
"""What a part of a chart means; what it looks like is the format's affair."""


@dataclass(frozen=True, kw_only=True)
class Bin:
    """So many durations from `low_ns` up to, and without, `high_ns`."""

    low_ns: int
    high_ns: int
    count: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A place on an axis of durations: a percentile, the maximum, or a round number."""

    label: str
    at_ns: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Durations on a logarithmic axis from `low_ns` to `high_ns`, with percentiles; `ticks` are round durations."""

    title: str
    summary: str
    low_ns: int
    high_ns: int
    bins: tuple[Bin, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    kind: Literal["histogram"] = "histogram"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A name and its numbers, one for each series, with what stands beside them."""

    name: str
    values: tuple[float, ...]
    text: str


@dataclass(frozen=True, kw_only=True)
class Series:
    """One number of each bar: what it is called, and whether it is good."""

    label: str
    tone: Tone


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Names by numbers that are parts of a whole, such as attempts that failed beside the others."""

    title: str
    summary: str
    series: tuple[Series, ...]
    bars: tuple[Bar, ...]
    kind: Literal["bars"] = "bars"


@dataclass(frozen=True, kw_only=True)
class Window:
    """Events from one moment to another; None where nothing tells of them."""

    start: datetime
    end: datetime
    events: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Marker:
    """Something that happened at a moment, or went on from it until another."""

    at: datetime
    until: datetime | None
    tone: Tone
    text: str


@dataclass(frozen=True, kw_only=True)
class Burst:
    """A second with many events."""

    start: datetime
    end: datetime
    text: str


@dataclass(frozen=True, kw_only=True)
class TimeChart:
    """Events over the time of the trace, and what happened meanwhile; `unshown` markers found no place."""

    title: str
    summary: str
    start: datetime
    end: datetime
    windows: tuple[Window, ...]
    bursts: tuple[Burst, ...]
    markers: tuple[Marker, ...]
    unshown: int = 0
    kind: Literal["time"] = "time"


@dataclass(frozen=True, kw_only=True)
class Flame:
    """Stacks put on each other. A node is its depth, the place of its name in `names`, its value and its text.

    Nodes stand in the order of a walk through the tree, each before what it called; a value holds those of its callees.
    """

    title: str
    summary: str
    names: tuple[str, ...] = field(default=())
    nodes: tuple[tuple[int, int, int, str], ...] = field(default=())
    kind: Literal["flame"] = "flame"


Chart = Histogram | Bars | TimeChart | Flame
