"""System calls: the class that says how the BPF programs read each, and how it hands over its data."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.kernel.syscall_numbers import Groups, by_number, place, places_of_calls

CLASSES: Final[Groups] = {
    "FSYNC": ("fsync", "fdatasync", "sync_file_range"),
    "READ": ("read", "pread64", "readv", "preadv", "preadv2"),
    "WRITE": ("write", "pwrite64", "writev", "pwritev", "pwritev2"),
    "SEND": ("sendto", "sendmsg"),
    "RECVFROM": ("recvfrom",),
    "RECVMSG": ("recvmsg",),
    "SENDMMSG": ("sendmmsg",),
    "RECVMMSG": ("recvmmsg",),
    "SENDFILE": ("sendfile",),
    "COPY": ("copy_file_range", "splice"),
    "CONNECT": ("connect",),
    "ACCEPT": ("accept", "accept4"),
    "CLOSE": ("close",),
    "EXEC": ("execve",),
    "EXECAT": ("execveat",),
    "OPEN": ("open", "creat"),
    "OPENAT": ("openat", "openat2"),
    "UNLINK": ("unlink",),
    "UNLINKAT": ("unlinkat",),
    "RENAME": ("rename",),
    "RENAMEAT": ("renameat", "renameat2"),
    "MAKE": (
        "open_by_handle_at", "open_tree", "fsopen", "fsmount", "fspick", "socket", "dup", "eventfd", "eventfd2",
        "epoll_create", "epoll_create1", "timerfd_create", "memfd_create", "memfd_secret", "inotify_init",
        "inotify_init1", "fanotify_init", "pidfd_open", "pidfd_getfd", "perf_event_open", "io_uring_setup",
        "userfaultfd", "mq_open",
    ),
    "PIPE": ("pipe", "pipe2"),
    "SOCKETPAIR": ("socketpair",),
    "DUP_OVER": ("dup2", "dup3"),
    "FCNTL": ("fcntl",),
    "SIGNALFD": ("signalfd", "signalfd4"),
    "BPF": ("bpf",),
    "LANDLOCK": ("landlock_create_ruleset",),
    "SECCOMP": ("seccomp",),
    "CLONE": ("clone",),
    "CLONE3": ("clone3",),
    "CLOSE_RANGE": ("close_range",),
}  # fmt: skip
"""Plain transfers, other transfers, then the rest, of which those from `FIRST_WITHOUT_DESCRIPTOR` on do not have a
descriptor as their first argument that is of interest, and those from `FIRST_OF_DESCRIPTORS` on make or close
descriptors and do nothing else that is counted."""
FIRST_ON_SOCKETS, LAST_ON_SOCKETS = "SEND", "RECVMMSG"
LAST_PLAIN, LAST_TRANSFER = "RECVMSG", "COPY"
FIRST_WITHOUT_DESCRIPTOR: Final = "ACCEPT"
FIRST_OF_DESCRIPTORS: Final = "MAKE"

SHAPES: Final[Groups] = {
    "BUFFER": ("read", "pread64", "write", "pwrite64"),
    "VECTOR": ("readv", "preadv", "preadv2", "writev", "pwritev", "pwritev2"),
    "ADDRESSED": ("sendto", "recvfrom"),
    "HEADER": ("sendmsg", "recvmsg"),
    "HEADERS": ("sendmmsg", "recvmmsg"),
}
"""How a call hands over its data: one buffer, an array of buffers, a buffer and an address, one struct msghdr, several.
"""

READS_AND_WRITES: Final = frozenset({*SHAPES["BUFFER"], *SHAPES["VECTOR"], "sendfile", "splice"})
SENDS_AND_RECEIVES: Final = frozenset({*SHAPES["ADDRESSED"], *SHAPES["HEADER"], *SHAPES["HEADERS"]})
TRANSFERS: Final = READS_AND_WRITES | SENDS_AND_RECEIVES | {"copy_file_range"}
"""All calls that move data."""
OPENS: Final = frozenset({*CLASSES["OPEN"], *CLASSES["OPENAT"]})
ACCEPTS: Final = frozenset(CLASSES["ACCEPT"])
EXECS: Final = frozenset({*CLASSES["EXEC"], *CLASSES["EXECAT"]})
MAKE_AND_CLOSE: Final = frozenset(
    name for name, value in places_of_calls(CLASSES).items() if value >= place(FIRST_OF_DESCRIPTORS, CLASSES)
)
"""The calls that make or close descriptors and do nothing else that is counted."""


def class_number(name: str) -> int:
    """The number that the BPF programs know a class by."""
    return place(name, CLASSES)


def shape_number(name: str) -> int:
    """The number that the BPF programs know a shape by."""
    return place(name, SHAPES)


def shape_of_numbers(machine: str) -> dict[int, int]:
    """System call number -> shape number, on this machine."""
    return by_number(places_of_calls(SHAPES), machine)


def class_of_numbers(names: frozenset[str], machine: str) -> dict[int, int]:
    """System call number -> class number, for these calls on this machine."""
    places = places_of_calls(CLASSES)
    return by_number({name: places[name] for name in names}, machine)
