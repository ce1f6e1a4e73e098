"""A WebSocket to the API server, as `pods/attach` speaks it: bytes of several channels over one connection.

The connection is made by the pool that makes all others, so that TLS, proxies and client certificates are the same;
the Kubernetes client's own WebSockets lack the impersonation headers and go by other rules to a proxy.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import socket

    import urllib3
    import websocket

STDIN_CHANNEL: Final = 0
ERROR_CHANNEL: Final = 3
# Servers from 1.30 on translate the newer one themselves, older ones and their kubelets know the other.
_PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class WebSocketRefusedError(Exception):
    """The server answered the request with a status of HTTP; `body` is what it said, as far as it said anything."""

    def __init__(self, status: int, reason: str, body: bytes) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.body = body


class WebSocketBrokenError(Exception):
    """There is no WebSocket, or no more: not connected, cut, silent, closed, or no peer that speaks it."""


class WebSocketChannel:
    """An open WebSocket; not to be shared between threads."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._asked = 0

    def send(self, data: bytes, *, within_s: float) -> None:
        """Send bytes to the container's stdin. Raises `WebSocketBrokenError`."""
        import websocket

        try:
            self._connection.settimeout(within_s)
            self._connection.send_binary(bytes([STDIN_CHANNEL]) + data)
        except (OSError, websocket.WebSocketException) as error:
            raise WebSocketBrokenError(str(error)) from error

    def is_heard(self, *, within_s: float) -> bool:
        """Ask the peer for a sign of life, which tells that all before has reached it; whether it came in time.

        Raises `WebSocketBrokenError` when the peer has closed or says that the container cannot be reached.
        """
        import websocket

        self._asked += 1
        question = b"%d" % self._asked
        until = time.monotonic() + within_s
        try:
            self._connection.settimeout(within_s)
            self._connection.ping(question)
            while (left := until - time.monotonic()) > 0:
                self._connection.settimeout(left)
                opcode, frame = self._connection.recv_data_frame(control_frame=True)
                if opcode == websocket.ABNF.OPCODE_PONG and frame.data == question:
                    return True
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    raise WebSocketBrokenError("closed by the server")
                if opcode == websocket.ABNF.OPCODE_BINARY:
                    _check(frame.data)
        except websocket.WebSocketTimeoutException:
            return False
        except (OSError, websocket.WebSocketException) as error:
            raise WebSocketBrokenError(str(error)) from error
        return False

    def close(self) -> None:
        """Give the connection up; nothing more comes or goes."""
        with contextlib.suppress(OSError):
            self._connection.shutdown()  # type: ignore[no-untyped-call]


def _check(data: bytes) -> None:
    """A newer server reports on the error channel what an older one answers to the request."""
    if data[:1] != bytes([ERROR_CHANNEL]) or len(data) == 1:
        return
    try:
        status = json.loads(data[1:])
    except ValueError:
        status = {}
    if not isinstance(status, dict) or status.get("status") != "Success":
        message = status.get("message") if isinstance(status, dict) else None
        raise WebSocketBrokenError(str(message or data[1:].decode("utf-8", "replace")))


def open_websocket(
    url: str, *, pool: urllib3.PoolManager, headers: urllib3.HTTPHeaderDict, timeout_s: float
) -> WebSocketChannel:
    """Connect to an `http` or `https` URL. Raises `WebSocketRefusedError` or `WebSocketBrokenError`."""
    import urllib3
    import websocket

    connection = websocket.WebSocket(enable_multithread=False)
    options: dict[str, Any] = {
        "header": [f"{name}: {value}" for name, value in headers.items()],
        "subprotocols": list(_PROTOCOLS),
        "suppress_origin": True,
        "timeout": timeout_s,
    }
    try:
        options["socket"] = _connect(url, pool, timeout_s)
        connection.connect("ws" + url.removeprefix("http"), **options)  # type: ignore[no-untyped-call]
    except websocket.WebSocketBadStatusException as refusal:
        body = refusal.resp_body or b""
        raise WebSocketRefusedError(refusal.status_code, str(refusal.status_message or ""), body) from refusal
    except (websocket.WebSocketException, urllib3.exceptions.HTTPError, OSError) as error:
        raise WebSocketBrokenError(str(error)) from error
    return WebSocketChannel(connection)


def _connect(url: str, pool: urllib3.PoolManager, timeout_s: float) -> socket.socket:
    """A connected socket of our own, made as the pool makes its own: through its proxy, with its TLS settings."""
    parts = urlsplit(url)
    connections = pool.connection_from_url(url)
    connection = connections._new_conn()  # what all the pool's connections come from; there is no public way
    connection.timeout = timeout_s
    if connections.proxy is not None:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connection.set_tunnel(
            str(parts.hostname), port, headers=connections.proxy_headers, scheme=str(connections.proxy.scheme)
        )
    connection.connect()
    sock: socket.socket = connection.sock  # type: ignore[attr-defined]  # http.client's, which it is made of
    sock.settimeout(timeout_s)
    return sock
