"""System calls in which threads wait: what a wait in each of them is for, as the BPF programs tell it."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.kernel.syscall_numbers import Groups, by_number, place, places_of_calls

CLASSES: Final[Groups] = {
    "LOCK": ("futex",),
    "LOCKS": ("futex_waitv",),
    "NEW_LOCK": ("futex_wait",),
    "WAKE": ("futex_wake",),
    "SLEEP": ("nanosleep", "clock_nanosleep"),
    "SYNC": ("fsync", "fdatasync", "sync_file_range", "sync", "syncfs", "msync"),
    "DESCRIPTOR": (
        "read", "readv", "write", "writev", "sendfile", "splice", "sendto", "sendmsg", "sendmmsg", "recvfrom",
        "recvmsg", "recvmmsg", "connect", "accept", "accept4",
    ),
    "POLL": ("poll", "ppoll"),
    "SELECT": ("select", "pselect6"),
    "EPOLL": ("epoll_wait", "epoll_pwait", "epoll_pwait2"),
}  # fmt: skip
"""From `FIRST_ON_SETS` on, a call takes a look at several descriptors."""
FIRST_ON_SETS: Final = "POLL"


def class_number(name: str) -> int:
    """The number that the BPF programs know a class by."""
    return place(name, CLASSES)


def class_of_numbers(machine: str) -> dict[int, int]:
    """System call number -> class number on this machine."""
    return by_number(places_of_calls(CLASSES), machine)
