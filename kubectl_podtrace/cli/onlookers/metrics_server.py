"""Answers scrapes over HTTP beside a trace: whatever asks, however slowly or often, the trace goes on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any, Final

from kubectl_podtrace.cli.parse import MetricsAddress
from kubectl_podtrace.errors import MetricsAddressError
from kubectl_podtrace.names import PROGRAM

PATH: Final = "/metrics"
MOST_CONNECTIONS: Final = 16
"""So many scrapers at a time; the next one is told to come later."""
CONNECTION_S: Final = 10.0
"""A connection that has not had its answer by then is cut."""
POLL_S: Final = 0.1
_METHODS: Final = "GET, HEAD"
_BUSY: Final = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a scrape gets."""

    content_type: str
    body: bytes


class MetricsServer:
    """Listens from its creation on; `page` makes the answer for a value of the header Accept, in any thread.

    Raises `MetricsAddressError`. `clock` is monotonic, in seconds.
    """

    def __init__(
        self, address: MetricsAddress, page: Callable[[str], Page], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._server = _listening(address, page, clock)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="metrics", daemon=True)
        self._thread.start()
        self._is_closed = False

    @property
    def host(self) -> str:
        """The address that it listens at."""
        return str(self._server.server_address[0])

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host, port = self._server.server_address[:2]
        shown = f"[{host!s}]" if self._server.address_family == socket.AF_INET6 else host
        return f"http://{shown!s}:{port}{PATH}"

    def close(self) -> None:
        """Cuts every connection; no thread is left behind, no socket either. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.cut_all()


def _listening(address: MetricsAddress, page: Callable[[str], Page], clock: Callable[[], float]) -> _Server:
    hint = "--metrics-address HOST:PORT names another one; port 0 takes any that is free"
    try:
        infos = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
        family, _, _, _, place = infos[0]
        return _Server(family, place, page, clock)
    except UnicodeError:
        raise MetricsAddressError(address.text, "this cannot be a host's name", hint) from None
    except OSError as error:
        raise MetricsAddressError(address.text, error.strerror or str(error), hint) from error


class _Server(TCPServer):
    """A thread for each connection, few of them, none for long."""

    allow_reuse_address = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, family: int, place: Any, page: Callable[[str], Page], clock: Callable[[], float]) -> None:
        self.address_family = family
        self.page = page
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[socket.socket, tuple[float, threading.Thread]] = {}
        super().__init__(place, _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 the base class says which
        """Is there room for one more?"""
        with self._lock:
            has_room = len(self._open) < MOST_CONNECTIONS
        if not has_room:
            request.settimeout(0)
            try:
                request.send(_BUSY)
            except OSError:
                return False
        return has_room

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread."""
        thread = threading.Thread(
            target=self._answer, args=(request, client_address), name="metrics-scrape", daemon=True
        )
        with self._lock:
            self._open[request] = (self._clock() + CONNECTION_S, thread)
        try:
            thread.start()
        except RuntimeError:
            # No more threads: there is nobody to answer.
            with self._lock:
                del self._open[request]
            self.shutdown_request(request)

    def service_actions(self) -> None:
        """Called again and again: cut who takes too long."""
        now = self._clock()
        with self._lock:
            for connection, (until, _) in self._open.items():
                if now >= until:
                    _cut(connection)

    def cut_all(self) -> None:
        """Ends every connection and waits for its thread."""
        with self._lock:
            threads = [thread for _, thread in self._open.values()]
            for connection in self._open:
                _cut(connection)
        for thread in threads:
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that went away in the middle is its own affair."""

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            self.handle_error(request, client_address)
        finally:
            with self._lock:
                del self._open[request]
            self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def version_string(self) -> str:
        """What the header Server says."""
        return PROGRAM

    def do_GET(self) -> None:
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        self._respond(with_body=False)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """In few words; a method that nobody answers is one that is not allowed."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        body = f"{status.value} {status.phrase}\n"
        if status is HTTPStatus.NOT_FOUND:
            body += f"the metrics are at {PATH}\n"
        self._send(status, Page(content_type="text/plain; charset=utf-8", body=body.encode()))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 as above
        """The terminal belongs to the trace."""

    def _respond(self, *, with_body: bool) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        page = self.server.page(self.headers.get("Accept", ""))
        self._send(HTTPStatus.OK, page, with_body=with_body)

    def _send(self, status: HTTPStatus, page: Page, *, with_body: bool = True) -> None:
        self.send_response(status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", _METHODS)
        self.send_header("Connection", "close")
        self.end_headers()
        if with_body and self.command != "HEAD":
            self.wfile.write(page.body)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself
