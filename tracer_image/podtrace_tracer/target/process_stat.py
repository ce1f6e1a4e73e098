"""The one line that /proc has of each process and thread (proc_pid_stat(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kubectl_podtrace.wire.codec import clean_text

TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stat:
    """The name, the letter of the state, the start since the boot; and all `fields` from the state on."""

    comm: str
    state: str
    start_ns: int
    fields: list[bytes]


def read_stat(path: Path) -> Stat:
    """The line in a file. Raises OSError when it has gone, ValueError or IndexError when it is no such line."""
    text = path.read_bytes()
    # The name stands in parentheses and may hold anything, also parentheses and spaces.
    end = text.rindex(b")")
    fields = text[end + 2 :].split()
    return Stat(
        comm=clean_text(text[text.index(b"(") + 1 : end]),
        state=fields[0].decode("ascii"),
        start_ns=int(fields[19]) * TICK_NS,
        fields=fields,
    )
