"""What a container's /etc/resolv.conf says of names: search domains and ndots.

The file is the container's own, and so are the links and mounts on the way to it. So its path is resolved below the
root of one of the container's processes, only a regular file is opened, and all that happens in a thread that nobody
waits for: a file system in the hands of the container may never answer.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podtrace_tracer.target.inside_root import opened_inside

_MOST_BYTES: Final = 16 * 1024
_MOST_DOMAINS: Final = 32
_MOST_SEARCH: Final = 1_000
_MOST_DOTS: Final = 15
"""What glibc takes a larger number for."""
_DOMAIN: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,40}")


@dataclass(frozen=True, kw_only=True)
class ResolverSettings:
    """Search domains in their order, and how many dots make a name be tried as it is first."""

    search: tuple[str, ...]
    ndots: int


def parse(text: str) -> ResolverSettings:
    r"""The settings in the text of a resolv.conf (resolv.conf(5)): the last line of search or domain holds.

    >>> parse("search a.svc Svc.\noptions ndots:5 timeout:1\n")
    ResolverSettings(search=('a.svc', 'svc'), ndots=5)
    """
    search: list[str] = []
    ndots = 1
    for words in (line.split() for line in text.splitlines()):
        if words[:1] in (["search"], ["domain"]):
            names = [word.lower().strip(".") for word in words[1:]]
            search = [name for name in names if _DOMAIN.fullmatch(name)][:_MOST_DOMAINS]
        elif words[:1] == ["options"]:
            for number in (word[6:] for word in words if word.startswith("ndots:")):
                ndots = min(int(number), _MOST_DOTS) if number.isdecimal() and len(number) < 10 else ndots
    while len(" ".join(search)) > _MOST_SEARCH:
        search.pop()
    return ResolverSettings(search=tuple(search), ndots=ndots)


def read(proc: Path, pid: int) -> ResolverSettings | None:
    """The settings that hold for a process; None where it has gone, or has no such file."""
    try:
        root = os.open(proc / str(pid) / "root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with opened_inside(root, "etc/resolv.conf", os.O_PATH) as place:
                if not stat.S_ISREG(os.fstat(place).st_mode):
                    return None
                with open(f"/proc/self/fd/{place}", "rb", opener=_opener) as file:
                    return parse(file.read(_MOST_BYTES).decode("utf-8", "replace"))
        finally:
            os.close(root)
    except OSError:
        return None


def _opener(path: str, _: int) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


class Settings:
    """The settings of scopes, read one after the other beside everything else."""

    def __init__(self, proc: Path, reading: Callable[[Path, int], ResolverSettings | None] = read) -> None:
        self._proc = proc
        self._reading = reading
        self._found: dict[int, ResolverSettings] = {}
        self._thread: threading.Thread | None = None

    def want(self, scope: int, pids: list[int]) -> None:
        """Asks for the settings of a scope, from the first of these processes that has any."""
        if scope in self._found or not pids or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._read, args=(scope, pids), daemon=True)
        self._thread.start()

    def found(self) -> dict[int, ResolverSettings]:
        """Those known by now, by scope."""
        return dict(self._found)

    def _read(self, scope: int, pids: list[int]) -> None:
        for pid in pids:
            found = self._reading(self._proc, pid)
            if found is not None:
                self._found[scope] = found
                return
