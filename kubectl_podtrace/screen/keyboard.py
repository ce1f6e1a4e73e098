"""Single keys from a terminal, and the names of those that send several bytes."""

from __future__ import annotations

import os
import re
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SEQUENCES: Final = {
    "[A": "up", "[B": "down", "[C": "right", "[D": "left", "OA": "up", "OB": "down", "OC": "right", "OD": "left",
    "[5~": "page_up", "[6~": "page_down", "[H": "home", "OH": "home", "[1~": "home", "[Z": "backtab",
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O[A-Za-z]|.?)", re.DOTALL)
_NAMES: Final = {"\t": "tab"}
_CC: Final = 6
"""Where `termios.tcgetattr` keeps the control characters."""


def keys_in(text: str) -> list[str]:
    r"""What was pressed: a character, or the name of a key that sends several; unknown sequences are nothing.

    >>> keys_in("q\t\x1b[A\x1bOB\x1b[15~\x1b[Zp"), keys_in("\x1b")
    (['q', 'tab', 'up', 'down', 'backtab', 'p'], [])
    """
    found: list[str] = []
    place = 0
    while place < len(text):
        sequence = _ESCAPE.match(text, place)
        if sequence:
            name = _SEQUENCES.get(sequence.group(1))
            found.extend([name] if name else [])
            place = sequence.end()
        else:
            found.append(_NAMES.get(text[place], text[place]))
            place += 1
    return found


@contextmanager
def single_keys(terminal: int) -> Iterator[None]:
    """Within the block a terminal hands over keys at once and shows none; Ctrl+C stays a signal, Ctrl+Z does nothing.

    A client that is suspended would be given up by its tracer, with a drawn screen left behind on the terminal.
    """
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal, termios.TCSANOW)
        now = termios.tcgetattr(terminal)
        now[_CC][termios.VSUSP] = os.fpathconf(terminal, "PC_VDISABLE").to_bytes(1, "little")
        termios.tcsetattr(terminal, termios.TCSANOW, now)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
