"""A fake tracer's stdin as the API server offers it: a WebSocket whose channel 0 leads to it. Remembers what came."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping
from wsproto.utilities import generate_accept_token

WAIT_S: Final = 20.0
_STDIN: Final = b"\x00"
_ERROR: Final = b"\x03"


def answer_headers(key: str) -> dict[str, str]:
    """What a request to upgrade with this key is answered."""
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": bytes(generate_accept_token(key.encode())).decode(),
        "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
    }


@dataclass(kw_only=True)
class Stdin:
    """What came, and how the next WebSockets behave.

    `cuts` is after how many lines each of the next attachments is cut; one that `is_deaf` answers no WebSocket ping;
    `error` is what the error channel says at once; `hears` is called with each line.
    """

    lines: list[bytes] = field(default_factory=list)
    attachments: int = 0
    cuts: list[int] = field(default_factory=list)
    is_deaf: bool = False
    error: bytes = b""
    hears: Callable[[bytes], None] = lambda _line: None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, line: bytes, times: int = 1) -> None:
        """Until this line has come so often."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.lines.count(line) >= times, WAIT_S), self.lines

    def serve(self, connection: socket.socket, *, on_stop: Callable[[], None]) -> None:
        """One attachment, to its end. As the true ones it begins with an empty message."""
        peer = Connection(ConnectionType.SERVER)
        for said in (b"", self.error) if self.error else (b"",):
            connection.sendall(peer.send(BytesMessage(data=_ERROR + said)))
        with self.changed:
            self.attachments += 1
            cut_after = self.cuts.pop(0) if self.cuts else None
        pending, taken = b"", 0
        while (cut_after is None or taken < cut_after) and (chunk := connection.recv(4096)):
            peer.receive_data(chunk)
            for event in peer.events():
                match event:
                    case Ping() if not self.is_deaf:
                        connection.sendall(peer.send(event.response()))
                    case BytesMessage(data=data):
                        assert data[:1] == _STDIN
                        *lines, pending = (pending + bytes(data[1:])).split(b"\n")
                        taken += len(lines)
                        self._take(lines, on_stop)
                    case CloseConnection():
                        return

    def _take(self, lines: list[bytes], on_stop: Callable[[], None]) -> None:
        for line in lines:
            with self.changed:
                self.lines.append(line + b"\n")
                self.changed.notify_all()
            self.hears(line + b"\n")
            if line == b"stop":
                on_stop()
