from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kubectl_podtrace.wire.records import Existing, ExistingRow
from podtrace_tracer.target.existing import MAX_ROWS, Connection, connections_of, record

SO_COOKIE = 57  # asm-generic/socket.h; Python has no name for it


def connection(
    *, state: str = "ESTABLISHED", address: str = "10.0.0.1", port: int = 5432, cookie: int = 1
) -> Connection:
    return Connection(cookie=cookie, pid=1, state=state, address=address, port=port)


def test_connections_of_the_same_state_and_address_are_one_row() -> None:
    found = [*[connection(cookie=n) for n in range(3)], connection(state="CLOSE_WAIT"), connection(port=6379)]
    rows = record(found).rows
    assert rows[0] == ExistingRow(state="ESTABLISHED", address="10.0.0.1", port=5432, count=3)
    assert {(row.state, row.port, row.count) for row in rows[1:]} == {("CLOSE_WAIT", 5432, 1), ("ESTABLISHED", 6379, 1)}


def test_the_total_counts_connections_beyond_the_rows() -> None:
    told = record([connection(port=port) for port in range(1, MAX_ROWS + 8)])
    assert (told.total, len(told.rows)) == (MAX_ROWS + 7, MAX_ROWS)
    assert record([]) == Existing(total=0, rows=())


def test_processes_without_sockets_have_no_connections_and_ended_ones_are_passed_over(tmp_path: Path) -> None:
    descriptors = tmp_path / "7/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "0").symlink_to("/dev/null")
    assert connections_of([99, 12345], tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="another network namespace is entered by root only")
def test_our_own_connection_is_found_with_its_remote_address_and_cookie_and_its_listener_is_not() -> None:
    pytest.importorskip("pyroute2", reason="this Python has no pyroute2")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        cookie = int.from_bytes(client.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")
        found = {each.cookie: each for each in connections_of([os.getpid()], Path("/proc"))}
        assert found[cookie].port == server.getsockname()[1]
        assert (found[cookie].address, found[cookie].state) == ("127.0.0.1", "ESTABLISHED")
        assert "LISTEN" not in {each.state for each in found.values()}
