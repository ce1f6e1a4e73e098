"""A server outside of the trace that answers with what it is sent and counts it, and a port on which nobody listens."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"


class Echo:
    """Serves one connection after the other. `accepted`, `received` and `sent` are final once the server is closed."""

    def __init__(self) -> None:
        self.accepted = self.received = self.sent = 0
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        # Bound and not listening: nobody else can take the port, and a connection to it is refused.
        self._closed = socket.socket()
        self._closed.bind((HOST, 0))
        self.refusing_port: int = self._closed.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with connection:
                while data := connection.recv(65536):
                    self.received += len(data)
                    connection.sendall(data)
                    self.sent += len(data)

    def close(self) -> None:
        """Waits for the last connection's end."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._closed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
