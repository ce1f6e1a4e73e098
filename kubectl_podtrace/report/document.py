"""What all readable formats draw: sections of labelled values and tables, their numbers already text.

Strings are raw: they may hold what a container put into a name, and each renderer makes them harmless its own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

Row = tuple[str, ...]


class Name(str):
    """Text from outside that stands by itself (a path, a command, an address): shown verbatim, never as prose."""

    __slots__ = ()


class Gauge(str):
    """A share of 1 as a bar of `#`, for formats that cannot draw one."""

    __slots__ = ("share_ratio",)

    share_ratio: float

    def __new__(cls, share_ratio: float, length: int) -> Self:
        """The bar of a share where all of it has so many signs."""
        gauge = super().__new__(cls, "#" * round(share_ratio * length))
        gauge.share_ratio = share_ratio
        return gauge


@dataclass(frozen=True, kw_only=True)
class Column:
    """A table's column. Numbers are aligned right, names left; a name's column is the last one."""

    title: str
    right: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under column titles. One whose cells are all empty but the last goes on with the name above it.

    Where the list is long, `rows` are its first ones and what the others add up to. `every` are all of them then, and
    `other` is what stands for those that the list itself does not hold; both None where `rows` are all there are.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    every: tuple[Row, ...] | None = None
    other: Row | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Labelled values, one a line; `are_caveats`: they say what the numbers below them lack."""

    pairs: tuple[tuple[str, str], ...]
    are_caveats: bool = False


Block = Table | Facts


@dataclass(frozen=True, kw_only=True)
class Section:
    """A titled part of a report. One without blocks has nothing to show, which `empty` says in one line."""

    title: str
    blocks: tuple[Block, ...]
    empty: str = ""


def right(*titles: str) -> tuple[Column, ...]:
    """Columns of numbers."""
    return tuple(Column(title=title) for title in titles)


def left(title: str) -> Column:
    """A column of names."""
    return Column(title=title, right=False)
