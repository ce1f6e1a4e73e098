from __future__ import annotations

import os
import socket
from pathlib import Path

from podtrace_tracer.target.open_sockets import sockets_of


def test_the_sockets_of_a_process_are_known_by_their_inodes_and_nothing_else_is(tmp_path: Path) -> None:
    table = tmp_path / "7/fd"
    table.mkdir(parents=True)
    for number, target in enumerate(["/dev/null", "socket:[77]", "pipe:[78]", "socket:[79]", "socket:[77]"]):
        (table / str(number)).symlink_to(target)
    (table / "closing").touch()  # no link to be read
    assert sockets_of(7, tmp_path) == {77, 79}
    assert sockets_of(8, tmp_path) == frozenset()


def test_a_socket_is_open_until_it_is_closed() -> None:
    own = socket.socket()
    inode = os.fstat(own.fileno()).st_ino
    assert inode in sockets_of(os.getpid(), Path("/proc"))
    own.close()
    assert inode not in sockets_of(os.getpid(), Path("/proc"))
