"""What the user looks at, and how keys change that. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

PAGES: Final[dict[str, tuple[str, ...]]] = {
    "overview": (),
    "network": ("tcp", "udp", "connections", "network_io"),
    "dns": ("dns",),
    "files": ("files", "descriptors"),
    "cpu": ("cpu", "locks", "stacks"),
    "processes": ("processes", "lifecycle", "memory"),
    "events": (),
    "findings": ("findings", "trust"),
}
"""The pages by their names, with the parts of the report that they are made of."""
_NAMES: Final = tuple(PAGES)
_PAGE_LINES: Final = 10
_HELP: Final = frozenset({"?", "h"})


@dataclass(frozen=True, kw_only=True)
class View:
    """Which page, how far it is scrolled, and what is switched on."""

    page: str = "overview"
    scroll: int = 0
    is_paused: bool = False
    every_event: bool = False
    of_total: bool = False
    helps: bool = False
    quits: bool = False


def pressed(view: View, key: str) -> View:
    """The view after a key, by its name or character; unknown keys change nothing."""
    if key in _HELP:
        return replace(view, helps=not view.helps)
    view = replace(view, helps=False)
    match key:
        case "q":
            return replace(view, quits=True)
        case "p" | " ":
            return replace(view, is_paused=not view.is_paused)
        case "e":
            return replace(view, every_event=not view.every_event)
        case "t":
            return replace(view, of_total=not view.of_total, scroll=0)
        case "tab" | "right":
            return _turned(view, 1)
        case "backtab" | "left":
            return _turned(view, -1)
        case "up" | "down" | "page_up" | "page_down" | "home":
            return replace(view, scroll=_scrolled(view.scroll, key))
        case _ if key.isdecimal() and 1 <= int(key) <= len(_NAMES):
            return replace(view, page=_NAMES[int(key) - 1], scroll=0)
        case _:
            return view


def _turned(view: View, by: int) -> View:
    place = (_NAMES.index(view.page) + by) % len(_NAMES)
    return replace(view, page=_NAMES[place], scroll=0)


def _scrolled(scroll: int, key: str) -> int:
    by = {"up": -1, "down": 1, "page_up": -_PAGE_LINES, "page_down": _PAGE_LINES}.get(key, -scroll)
    return max(scroll + by, 0)
