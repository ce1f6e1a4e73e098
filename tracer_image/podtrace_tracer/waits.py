"""System calls in which threads wait: what a wait in each of them is for, as the BPF programs tell it."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.syscalls import MACHINES

CLASSES: Final = ("LOCK", "SLEEP", "SYNC", "DESCRIPTOR", "POLL", "SELECT", "EPOLL")
"""In the order of their numbers, which start at 1. From `FIRST_ON_SETS` on, it takes a look at several descriptors."""
FIRST_ON_SETS: Final = "POLL"

# name: (class, number on x86-64, number on arm64), as in syscalls.py.
TABLE: Final[dict[str, tuple[str, int | None, int | None]]] = {
    "futex": ("LOCK", 202, 98),
    "futex_waitv": ("LOCK", 449, 449),
    "futex_wait": ("LOCK", 455, 455),
    "nanosleep": ("SLEEP", 35, 101),
    "clock_nanosleep": ("SLEEP", 230, 115),
    "fsync": ("SYNC", 74, 82),
    "fdatasync": ("SYNC", 75, 83),
    "sync_file_range": ("SYNC", 277, 84),
    "sync": ("SYNC", 162, 81),
    "syncfs": ("SYNC", 306, 267),
    "msync": ("SYNC", 26, 227),
    "read": ("DESCRIPTOR", 0, 63),
    "readv": ("DESCRIPTOR", 19, 65),
    "write": ("DESCRIPTOR", 1, 64),
    "writev": ("DESCRIPTOR", 20, 66),
    "sendfile": ("DESCRIPTOR", 40, 71),
    "splice": ("DESCRIPTOR", 275, 76),
    "sendto": ("DESCRIPTOR", 44, 206),
    "sendmsg": ("DESCRIPTOR", 46, 211),
    "sendmmsg": ("DESCRIPTOR", 307, 269),
    "recvfrom": ("DESCRIPTOR", 45, 207),
    "recvmsg": ("DESCRIPTOR", 47, 212),
    "recvmmsg": ("DESCRIPTOR", 299, 243),
    "connect": ("DESCRIPTOR", 42, 203),
    "accept": ("DESCRIPTOR", 43, 202),
    "accept4": ("DESCRIPTOR", 288, 242),
    "poll": ("POLL", 7, None),
    "ppoll": ("POLL", 271, 73),
    "select": ("SELECT", 23, None),
    "pselect6": ("SELECT", 270, 72),
    "epoll_wait": ("EPOLL", 232, None),
    "epoll_pwait": ("EPOLL", 281, 22),
    "epoll_pwait2": ("EPOLL", 441, 441),
}


def class_number(name: str) -> int:
    """The number that the BPF programs know a class by."""
    return CLASSES.index(name) + 1


def class_of_numbers(machine: str) -> dict[int, int]:
    """System call number -> class number on this machine."""
    column = MACHINES[machine]
    wanted = {row[column]: class_number(row[0]) for row in TABLE.values()}
    return {number: value for number, value in wanted.items() if isinstance(number, int)}
