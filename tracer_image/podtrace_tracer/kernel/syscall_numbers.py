"""System calls by their names: the number of each on each architecture, and the places of groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MACHINES: Final = ("x86_64", "aarch64")

# name: (number on x86-64, number on arm64); from asm/unistd_64.h and asm-generic/unistd.h. None: no such call.
TABLE: Final[Mapping[str, tuple[int | None, int | None]]] = {
    "accept": (43, 202),
    "accept4": (288, 242),
    "bpf": (321, 280),
    "clock_nanosleep": (230, 115),
    "clone": (56, 220),
    "clone3": (435, 435),
    "close": (3, 57),
    "close_range": (436, 436),
    "connect": (42, 203),
    "copy_file_range": (326, 285),
    "creat": (85, None),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "epoll_create": (213, None),
    "epoll_create1": (291, 20),
    "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441),
    "epoll_wait": (232, None),
    "eventfd": (284, None),
    "eventfd2": (290, 19),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fanotify_init": (300, 262),
    "fcntl": (72, 25),
    "fdatasync": (75, 83),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "fsync": (74, 82),
    "futex": (202, 98),
    "futex_wait": (455, 455),
    "futex_waitv": (449, 449),
    "futex_wake": (454, 454),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425),
    "landlock_create_ruleset": (444, 444),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mq_open": (240, 180),
    "msync": (26, 227),
    "nanosleep": (35, 101),
    "open": (2, None),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat": (257, 56),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "pread64": (17, 67),
    "preadv": (295, 69),
    "preadv2": (327, 286),
    "pselect6": (270, 72),
    "pwrite64": (18, 68),
    "pwritev": (296, 70),
    "pwritev2": (328, 287),
    "read": (0, 63),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "recvmmsg": (299, 243),
    "recvmsg": (47, 212),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "seccomp": (317, 277),
    "select": (23, None),
    "sendfile": (40, 71),
    "sendmmsg": (307, 269),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "signalfd": (282, None),
    "signalfd4": (289, 74),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "splice": (275, 76),
    "sync": (162, 81),
    "sync_file_range": (277, 84),
    "syncfs": (306, 267),
    "timerfd_create": (283, 85),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "userfaultfd": (323, 282),
    "write": (1, 64),
    "writev": (20, 66),
}

END: Final = 512
"""One more than the highest number that the kernel's table can hold; both architectures stay below."""

Groups = Mapping[str, tuple[str, ...]]
"""Names of calls by the name of their group. The programs know a group by its place in this order, counted from 1."""


def number_of(name: str, machine: str) -> int:
    """The number of a call on this machine. Raises LookupError where there is no such call."""
    found = TABLE[name][MACHINES.index(machine)]
    if found is None:
        raise LookupError(f"{machine} has no system call {name}")
    return found


def place(group: str, groups: Groups) -> int:
    """The place of a group, counted from 1."""
    return list(groups).index(group) + 1


def places_of_calls(groups: Groups) -> dict[str, int]:
    """Name of a call -> place of its group."""
    return {name: place(group, groups) for group, names in groups.items() for name in names}


def by_number(of_calls: Mapping[str, int], machine: str) -> dict[int, int]:
    """System call number -> what is given by the call's name, for the calls that this machine has."""
    column = MACHINES.index(machine)
    found = {TABLE[name][column]: value for name, value in of_calls.items()}
    return {number: value for number, value in found.items() if number is not None}
