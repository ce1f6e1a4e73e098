"""Servers of Debian's packages, started in a cgroup with their data in a directory of the test, and stopped by it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bpf.harness import ENTER_CGROUP, PATIENCE_S

HOST = "127.0.0.1"
TURN_S = 0.02


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def until(holds: Callable[[], bool], what: str) -> None:
    """Asks again and again, since what other programs write cannot be waited for otherwise."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"not in {PATIENCE_S} s: {what}"
        time.sleep(TURN_S)


def listens(port: int) -> bool:
    """Does somebody listen there? Asked of the kernel: a connection would count."""
    local = f"0100007F:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1] == local and row[3] == "0A" for row in rows)


def is_quiet(port: int) -> bool:
    """Has the server closed every connection that came to this port? What it did before is then done."""
    local = f"0100007F:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return not [row for row in rows if row[1] == local and row[3] not in {"0A", "06"}]


class Service:
    """A server process; ready when made."""

    def __init__(self, command: list[str], *, port: int, cgroup: Path, directory: Path) -> None:
        self.port = port
        self.log = directory / "output"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory,
            )  # fmt: skip
        until(self._is_ready, f"{command[0]} listens on {port}")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        return listens(self.port)

    def stop(self, signal: int) -> None:
        """Asks it to end, and waits for that."""
        self.process.send_signal(signal)
        assert self.process.wait(PATIENCE_S) == 0, self.log.read_text(errors="replace")[-2000:]

    def close(self) -> None:
        """Leaves no process behind; the cgroup's fixture ends its children."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Client:
    """A connection that counts what goes over it."""

    def __init__(self, port: int) -> None:
        self.sent = self.received = 0
        self._socket = socket.create_connection((HOST, port))
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        self._socket.sendall(data)
        self.sent += len(data)

    def take(self, size: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._buffer) < size:
            self._receive()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def take_until(self, mark: bytes) -> bytes:
        """Everything up to and with a mark."""
        while mark not in self._buffer:
            self._receive()
        return self.take(self._buffer.index(mark) + len(mark))

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        assert data, "the server closed the connection"
        self.received += len(data)
        self._buffer += data

    def close(self) -> None:
        """Ends it, when all that came has been taken."""
        assert self._buffer == b""
        self._socket.close()


@contextmanager
def owned_directory(owner: str) -> Iterator[Path]:
    """A directory of a user without rights; not below pytest's own, which only root may enter."""
    path = Path(tempfile.mkdtemp(prefix="podtrace-test-", dir="/tmp"))
    shutil.chown(path, owner)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def is_gone(pid: int) -> bool:
    """Has the process ended, and its parent been told?"""
    return not Path(f"/proc/{pid}").exists()
