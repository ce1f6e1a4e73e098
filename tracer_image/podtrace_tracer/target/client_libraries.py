"""Files through which processes of the target may speak to a database.

Those are libraries that they map, those that lie where libraries do, and programs that hold such a library themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podtrace_tracer.kernel.host import Host
from podtrace_tracer.target.inside_root import opened_inside

_LIBRARY: Final = re.compile(
    r"/lib(?:pq|mysqlclient|mariadb|mariadbclient|perconaserverclient)(?:_r)?(?:-[0-9a-f]+)?\.so(?:\.[0-9.]+)?$"
)
"""Wheels of Python carry copies with a hash in their names."""
_NAMES: Final = (
    "libpq.so",
    "libmysqlclient.so",
    "libmysqlclient_r.so",
    "libmariadb.so",
    "libmariadbclient.so",
    "libperconaserverclient.so",
)
_PLACES: Final = (
    "lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib", "usr/local/lib64", "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu", "usr/lib64/mysql", "usr/lib/mysql", "usr/local/pgsql/lib", "usr/local/mysql/lib",
    "opt/bitnami/postgresql/lib", "opt/bitnami/mariadb/lib", "opt/bitnami/mysql/lib", "opt/bitnami/common/lib",
)  # fmt: skip
_MAX_NAMES: Final = 4_096
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK

FileId = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file that is open for reading, the path that the container knows it by, and the process that led to it.

    `is_mapped`: the process uses it; else it only lies where the process would find it.
    """

    descriptor: int
    path: str
    pid: int
    is_mapped: bool

    @property
    def identity(self) -> FileId:
        """Device and inode: two containers of one image have the same file."""
        status = os.fstat(self.descriptor)
        return status.st_dev, status.st_ino


Visit = Callable[[Candidate], None]


class ClientLibraries:
    """Looks through processes; each file is shown to `visit`. A candidate's descriptor is closed behind the visit."""

    def __init__(self, host: Host, visit: Visit) -> None:
        self._host = host
        self._visit = visit
        self._programs: dict[int, FileId | None] = {}
        self._roots: set[FileId] = set()

    def look(self, pids: Iterable[int], *, again: bool) -> None:
        """Looks at processes that are new or run another program now; `again`: at all of them."""
        alive = set(pids)
        for pid in [pid for pid in self._programs if pid not in alive]:
            del self._programs[pid]
        for pid in alive:
            program = self._program(pid)
            if program is None or (self._programs.get(pid) == program and not again):
                continue
            self._programs[pid] = program
            self._look_at(pid)

    def _program(self, pid: int) -> FileId | None:
        try:
            status = (self._host.proc / str(pid) / "exe").stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _look_at(self, pid: int) -> None:
        self._look_into_root(pid)
        place = self._host.proc / str(pid)
        with suppress(OSError), _opened(str(place / "exe")) as descriptor:
            self._visit(Candidate(descriptor=descriptor, path=_link_text(place / "exe"), pid=pid, is_mapped=True))
        seen = set()
        for addresses, path in _mapped(place):
            if path not in seen:
                seen.add(path)
                # The link leads to the very file that is mapped, whatever lies under its path by now.
                with suppress(OSError), _opened(str(place / "map_files" / addresses)) as descriptor:
                    self._visit(Candidate(descriptor=descriptor, path=path, pid=pid, is_mapped=True))

    def _look_into_root(self, pid: int) -> None:
        """What lies in the directories of a container's libraries: processes that come and go use it unseen."""
        with suppress(OSError), _opened(str(self._host.proc / str(pid) / "root"), os.O_PATH) as root:
            status = os.fstat(root)
            if (status.st_dev, status.st_ino) in self._roots:
                return
            self._roots.add((status.st_dev, status.st_ino))
            for place in _PLACES:
                with suppress(OSError), opened_inside(root, place, _FLAGS | os.O_DIRECTORY) as directory:
                    paths = [f"{place}/{name}" for name in _names_in(directory)]
                    for path in paths:
                        with suppress(OSError), opened_inside(root, path, _FLAGS) as descriptor:
                            self._visit(Candidate(descriptor=descriptor, path=f"/{path}", pid=pid, is_mapped=False))


def _names_in(directory: int) -> list[str]:
    with os.scandir(directory) as entries:
        names = [entry.name for entry, _ in zip(entries, range(_MAX_NAMES), strict=False)]
    return [name for name in names if name.startswith(_NAMES) and _LIBRARY.search(f"/{name}")]


def _mapped(place: Path) -> Iterator[tuple[str, str]]:
    """Addresses and path of each mapped library of this kind."""
    with suppress(OSError):
        for line in (place / "maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            if "/lib" in line:
                addresses, *_, path = line.split(maxsplit=5)
                path = path.removesuffix(" (deleted)")
                if _LIBRARY.search(path):
                    yield addresses, path


def _link_text(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


@contextmanager
def _opened(path: str, flags: int = _FLAGS) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
