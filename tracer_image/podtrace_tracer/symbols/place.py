"""What becomes known of a place in a program: all that the tracer takes from the reader of programs' files."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

MAX_TEXT: Final = 400
"""Symbols and sources are cut at so many characters."""


Wanted = Literal["line", "function", "variable"]
"""What is to be known of a place: the function and its line, for which much has to be searched; the function alone; or
the variable that it is in."""


class Place(NamedTuple):
    """A place in a file: its address as the file counts, what it is in by name, FILE:LINE; empty where not known."""

    address: int
    symbol: str
    source: str


def shortened(text: str) -> str:
    """A text of bounded length, the cut marked."""
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
