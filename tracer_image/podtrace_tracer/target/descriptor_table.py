"""One process's descriptors by kind, from /proc, at a bounded price however many there are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS
from podtrace_tracer.target.process_stat import Stat, read_stat

FILE, SOCKET, PIPE, OTHER = DESCRIPTOR_KINDS
_WITHOUT_PATH: Final = ("/memfd:", "/secretmem", "/dmabuf:")
"""What is shown with a slash and is in no directory."""
_GONE: Final = frozenset({"Z", "X"})


@dataclass(frozen=True, kw_only=True)
class TableReading:
    """What a process has open. `kinds` are of all descriptors, estimated from `sampled` of them unless that is 0.

    `links` say what was looked at, by number.
    """

    pid: int
    start_ns: int
    comm: str
    limit: int
    kinds: Counter[str] = field(default_factory=Counter)
    sampled: int = 0
    links: Mapping[int, str] = field(default_factory=dict, repr=False)


def kind_of_link(link: str) -> str:
    """The kind of a descriptor by what /proc says of it.

    >>> [kind_of_link(link) for link in ("/a", "socket:[7]", "pipe:[8]", "anon_inode:[eventfd]", "/memfd:a (deleted)")]
    ['file', 'socket', 'pipe', 'other', 'other']
    """
    if link.startswith("/"):
        return OTHER if link.startswith(_WITHOUT_PATH) else FILE
    kind = link.partition(":")[0]
    return kind if kind in (SOCKET, PIPE) else OTHER


def tells_sizes(proc: Path) -> bool:
    """Does the size of a directory /proc/PID/fd say how many descriptors there are (Linux 6.2 and later)?"""
    try:
        return (proc / "self/fd").stat().st_size > 0
    except OSError:
        return False


def read_table(proc: Path, pid: int, *, most: int, has_sizes: bool) -> TableReading | None:
    """What a process has open, looking at so many descriptors at most; None when it has ended."""
    base = proc / str(pid)
    try:
        stat = read_stat(base / "stat")
        directory = _table_of(base, stat)
        if directory is None:
            return None
        limit = _limit(base)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            kinds, links, sampled = _kinds(descriptor, base, most=most, has_sizes=has_sizes)
        finally:
            os.close(descriptor)
    except (OSError, ValueError, IndexError):
        return None  # it has ended meanwhile
    return TableReading(
        pid=pid, start_ns=stat.start_ns, comm=stat.comm, limit=limit, kinds=kinds, sampled=sampled, links=links
    )


def open_numbers(proc: Path, pid: int, *, most: int) -> list[int]:
    """The numbers that a process has open, so many at most; none when it has ended."""
    base = proc / str(pid)
    try:
        directory = _table_of(base, read_stat(base / "stat"))
        if directory is None:
            return []
        with os.scandir(directory) as entries:
            return [int(entry.name) for entry in islice(entries, most)]
    except (OSError, ValueError, IndexError):
        return []


def inner_pid(proc: Path, pid: int) -> int:
    """The pid that a process has in its own namespace; the same where that is not known."""
    numbers = _line(proc / str(pid) / "status", "NSpid:")
    return int(numbers[-1]) if numbers else pid


def _kinds(descriptor: int, base: Path, *, most: int, has_sizes: bool) -> tuple[Counter[str], Mapping[int, str], int]:
    """By kind, what was looked at, and from how many the kinds are estimated (0: all were looked at)."""
    total = os.fstat(descriptor).st_size if has_sizes else None
    if total is None or total <= most:
        with os.scandir(descriptor) as entries:
            names = [entry.name for entry in islice(entries, most + 1)]
        if len(names) <= most:
            links = _looked_at(descriptor, names)
            return _by_kind(links), links, 0
    size = _line(base / "status", "FDSize:")
    capacity = int(size[0]) if size else most
    places = range(0, capacity, max(1, -(-capacity // most)))
    links = _looked_at(descriptor, [str(place) for place in places])
    found = len(links)
    kinds = _scaled(_by_kind(links), total if total is not None else round(capacity * found / len(places)))
    return kinds, links, found


def _looked_at(descriptor: int, names: list[str]) -> dict[int, str]:
    links = {}
    for name in names:
        try:
            links[int(name)] = os.readlink(name, dir_fd=descriptor)
        except FileNotFoundError:
            continue  # closed, or a number that is not in use
    return links


def _by_kind(links: Mapping[int, str]) -> Counter[str]:
    return Counter(kind_of_link(link) for link in links.values())


def _scaled(sample: Counter[str], total: int) -> Counter[str]:
    """The same shares of so many; what rounding leaves goes to the largest. Without a sample, all are `other`."""
    found = sum(sample.values())
    if not found:
        return Counter({OTHER: total})
    scaled = Counter({kind: count * total // found for kind, count in sample.items()})
    scaled[sample.most_common(1)[0][0]] += total - sum(scaled.values())
    return scaled


def _table_of(base: Path, stat: Stat) -> Path | None:
    """The table of the process, or of a thread that lives on when the first one has ended."""
    if stat.state not in _GONE:
        return base / "fd"
    threads = (thread for thread in (base / "task").iterdir() if read_stat(thread / "stat").state not in _GONE)
    living = next(threads, None)
    return living / "fd" if living else None


def _limit(base: Path) -> int:
    """RLIMIT_NOFILE as it is now (the soft limit); 0 if it is not known."""
    words = _line(base / "limits", "Max open files")
    return int(words[0]) if words and words[0].isdigit() else 0


def _line(path: Path, title: str) -> list[str]:
    """The words behind a title in a file of /proc; none if it is not there."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return next((line[len(title) :].split() for line in lines if line.startswith(title)), [])
