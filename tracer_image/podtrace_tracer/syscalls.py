"""System calls: their numbers on each architecture, and the class that says how the BPF programs read them."""

from __future__ import annotations

from typing import Final

CLASSES: Final = (
    "FSYNC", "READ", "WRITE", "SEND", "RECVFROM", "RECVMSG", "SENDMMSG", "RECVMMSG", "SENDFILE", "COPY",
    "CONNECT",
    "ACCEPT", "CLOSE", "EXEC", "EXECAT", "OPEN", "OPENAT", "UNLINK", "UNLINKAT", "RENAME", "RENAMEAT",
    "MAKE", "PIPE", "SOCKETPAIR", "DUP_OVER", "FCNTL", "SIGNALFD", "BPF", "LANDLOCK", "SECCOMP", "CLONE", "CLONE3",
    "CLOSE_RANGE",
)  # fmt: skip
"""In the order of their numbers, which start at 1: plain transfers, other transfers, then the rest, of which those from
`FIRST_WITHOUT_DESCRIPTOR` on do not have a descriptor as their first argument that is of interest, and those from
`FIRST_OF_DESCRIPTORS` on make or close descriptors and do nothing else that is counted."""
FIRST_ON_SOCKETS, LAST_ON_SOCKETS = "SEND", "RECVMMSG"
LAST_PLAIN, LAST_TRANSFER = "RECVMSG", "COPY"
FIRST_WITHOUT_DESCRIPTOR: Final = "ACCEPT"
FIRST_OF_DESCRIPTORS: Final = "MAKE"

NUMBERS: Final = 512
"""One more than the highest number that the kernel's table can hold; both architectures stay below."""

# name: (class, number on x86-64, number on arm64); from asm/unistd_64.h and asm-generic/unistd.h. None: no such call.
_TABLE: Final[dict[str, tuple[str, int | None, int | None]]] = {
    "read": ("READ", 0, 63),
    "pread64": ("READ", 17, 67),
    "readv": ("READ", 19, 65),
    "preadv": ("READ", 295, 69),
    "preadv2": ("READ", 327, 286),
    "write": ("WRITE", 1, 64),
    "pwrite64": ("WRITE", 18, 68),
    "writev": ("WRITE", 20, 66),
    "pwritev": ("WRITE", 296, 70),
    "pwritev2": ("WRITE", 328, 287),
    "sendto": ("SEND", 44, 206),
    "sendmsg": ("SEND", 46, 211),
    "sendmmsg": ("SENDMMSG", 307, 269),
    "recvfrom": ("RECVFROM", 45, 207),
    "recvmsg": ("RECVMSG", 47, 212),
    "recvmmsg": ("RECVMMSG", 299, 243),
    "sendfile": ("SENDFILE", 40, 71),
    "copy_file_range": ("COPY", 326, 285),
    "splice": ("COPY", 275, 76),
    "fsync": ("FSYNC", 74, 82),
    "fdatasync": ("FSYNC", 75, 83),
    "sync_file_range": ("FSYNC", 277, 84),
    "connect": ("CONNECT", 42, 203),
    "accept": ("ACCEPT", 43, 202),
    "accept4": ("ACCEPT", 288, 242),
    "close": ("CLOSE", 3, 57),
    "execve": ("EXEC", 59, 221),
    "execveat": ("EXECAT", 322, 281),
    "open": ("OPEN", 2, None),
    "creat": ("OPEN", 85, None),
    "openat": ("OPENAT", 257, 56),
    "openat2": ("OPENAT", 437, 437),
    "unlink": ("UNLINK", 87, None),
    "unlinkat": ("UNLINKAT", 263, 35),
    "rename": ("RENAME", 82, None),
    "renameat": ("RENAMEAT", 264, 38),
    "renameat2": ("RENAMEAT", 316, 276),
    "open_by_handle_at": ("MAKE", 304, 265),
    "open_tree": ("MAKE", 428, 428),
    "fsopen": ("MAKE", 430, 430),
    "fsmount": ("MAKE", 432, 432),
    "fspick": ("MAKE", 433, 433),
    "socket": ("MAKE", 41, 198),
    "dup": ("MAKE", 32, 23),
    "eventfd": ("MAKE", 284, None),
    "eventfd2": ("MAKE", 290, 19),
    "epoll_create": ("MAKE", 213, None),
    "epoll_create1": ("MAKE", 291, 20),
    "timerfd_create": ("MAKE", 283, 85),
    "memfd_create": ("MAKE", 319, 279),
    "memfd_secret": ("MAKE", 447, 447),
    "inotify_init": ("MAKE", 253, None),
    "inotify_init1": ("MAKE", 294, 26),
    "fanotify_init": ("MAKE", 300, 262),
    "pidfd_open": ("MAKE", 434, 434),
    "pidfd_getfd": ("MAKE", 438, 438),
    "perf_event_open": ("MAKE", 298, 241),
    "io_uring_setup": ("MAKE", 425, 425),
    "userfaultfd": ("MAKE", 323, 282),
    "mq_open": ("MAKE", 240, 180),
    "pipe": ("PIPE", 22, None),
    "pipe2": ("PIPE", 293, 59),
    "socketpair": ("SOCKETPAIR", 53, 199),
    "dup2": ("DUP_OVER", 33, None),
    "dup3": ("DUP_OVER", 292, 24),
    "fcntl": ("FCNTL", 72, 25),
    "signalfd": ("SIGNALFD", 282, None),
    "signalfd4": ("SIGNALFD", 289, 74),
    "bpf": ("BPF", 321, 280),
    "landlock_create_ruleset": ("LANDLOCK", 444, 444),
    "seccomp": ("SECCOMP", 317, 277),
    "clone": ("CLONE", 56, 220),
    "clone3": ("CLONE3", 435, 435),
    "close_range": ("CLOSE_RANGE", 436, 436),
}
MACHINES: Final = {"x86_64": 1, "aarch64": 2}

SHAPES: Final[dict[str, tuple[str, ...]]] = {
    "BUFFER": ("read", "pread64", "write", "pwrite64"),
    "VECTOR": ("readv", "preadv", "preadv2", "writev", "pwritev", "pwritev2"),
    "ADDRESSED": ("sendto", "recvfrom"),
    "HEADER": ("sendmsg", "recvmsg"),
    "HEADERS": ("sendmmsg", "recvmmsg"),
}
"""How a call hands over its data: one buffer, an array of buffers, a buffer and an address, one struct msghdr, several.
In the order of their numbers, which start at 1."""

READS_AND_WRITES: Final = (
    "read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile",
    "splice",
)  # fmt: skip

MAKE_AND_CLOSE: Final = frozenset(
    name for name, (kind, _, _) in _TABLE.items() if CLASSES.index(kind) >= CLASSES.index(FIRST_OF_DESCRIPTORS)
)
"""The calls that make or close descriptors and do nothing else that is counted."""


def class_number(name: str) -> int:
    """The number that the BPF programs know a class by."""
    return CLASSES.index(name) + 1


def shape_number(name: str) -> int:
    """The number that the BPF programs know a shape by."""
    return list(SHAPES).index(name) + 1


def shape_of_numbers(machine: str) -> dict[int, int]:
    """System call number -> shape number, on this machine."""
    column = MACHINES[machine]
    shapes = {_TABLE[name][column]: shape_number(shape) for shape, names in SHAPES.items() for name in names}
    return {number: value for number, value in shapes.items() if isinstance(number, int)}


def class_of_numbers(names: frozenset[str], machine: str) -> dict[int, int]:
    """System call number -> class number, for these calls on this machine."""
    column = MACHINES[machine]
    wanted = {_TABLE[name][column]: class_number(_TABLE[name][0]) for name in names}
    return {number: value for number, value in wanted.items() if isinstance(number, int)}
