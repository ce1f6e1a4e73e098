"""The connections that the target has before the probes are attached, by sock_diag in its own network namespaces."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubectl_podtrace.wire.records import Existing, ExistingRow
from kubectl_podtrace.wire.topics import TCP_STATES
from podtrace_tracer.addresses import unmapped_text
from podtrace_tracer.target.open_sockets import sockets_of

MAX_ROWS: Final = 100
_ALL_STATES: Final = 0xFFF
_LISTEN: Final = TCP_STATES.index("LISTEN") + 1


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A TCP socket of the target: the kernel's cookie of it, a process that holds it, its state and remote address."""

    cookie: int
    pid: int
    state: str
    address: str
    port: int


def connections_of(pids: Iterable[int], proc: Path) -> list[Connection]:
    """All TCP sockets that these processes hold open, listening ones left out."""
    namespaces: dict[int, tuple[list[Path], dict[int, int]]] = {}
    for pid in pids:
        try:
            path = proc / str(pid) / "ns/net"
            paths, owners = namespaces.setdefault(path.stat().st_ino, ([], {}))
            paths.append(path)
        except OSError:
            continue  # it has ended meanwhile
        owners.update(dict.fromkeys(sockets_of(pid, proc), pid))
    return [found for paths, owners in namespaces.values() for found in _in_namespace(paths, owners)]


def record(connections: list[Connection]) -> Existing:
    """What the stream says of them."""
    counts = Counter((found.state, found.address, found.port) for found in connections)
    rows = tuple(
        ExistingRow(state=state, address=address, port=port, count=count)
        for (state, address, port), count in counts.most_common(MAX_ROWS)
    )
    return Existing(total=len(connections), rows=rows)


def _in_namespace(paths: list[Path], owners: dict[int, int]) -> list[Connection]:
    """The sockets of one namespace, entered through a process that still lives. Raises OSError if none does."""
    from pyroute2 import DiagSocket, netns

    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        living = next((path for path in paths if path.exists()), paths[0])
        netns.setns(str(living))
        try:
            with DiagSocket() as diag:
                diag.bind()
                messages = [
                    message
                    for family in (socket.AF_INET, socket.AF_INET6)
                    for message in diag.get_sock_stats(family=family, states=_ALL_STATES, protocol=socket.IPPROTO_TCP)
                ]
        finally:
            netns.setns(own)
    finally:
        os.close(own)
    return [_connection(message, owners) for message in messages if _is_owned(message, owners)]


def _is_owned(message: Any, owners: dict[int, int]) -> bool:
    return message["idiag_inode"] in owners and message["idiag_state"] != _LISTEN


def _connection(message: Any, owners: dict[int, int]) -> Connection:
    return Connection(
        cookie=message["idiag_cookie"],
        pid=owners[message["idiag_inode"]],
        state=TCP_STATES[message["idiag_state"] - 1],
        address=unmapped_text(message["idiag_dst"]),
        port=message["idiag_dport"],
    )
