"""A way to the API server that a test can cut and mend: bytes are passed on both ways, TLS and all."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from tests.cluster.conftest import Kubectl

_RESET: Final = struct.pack("ii", 1, 0)


class Cut(Enum):
    """How a network fails."""

    STALL = "nothing passes, and everything that waited passes later"
    DROP = "nothing passes, and connections of before stay dead"
    RESET = "connections are reset, old and new ones"


class CuttableProxy:
    """Listens on loopback; a context manager."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_open = threading.Event()
        self._is_open.set()
        self._resets = False
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        with self._lock:
            for pair in self._pairs:
                pair.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def cut(self, how: Cut) -> None:
        """From now on nothing passes."""
        with self._lock:
            self._is_open.clear()
            self._resets = how is Cut.RESET
            for pair in self._pairs:
                if how is Cut.RESET:
                    pair.reset()
                pair.is_dead = how is Cut.DROP

    def mend(self) -> None:
        """All is well again."""
        self._resets = False
        self._is_open.set()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            pair = _Pair(here, self._is_open)
            with self._lock:
                self._pairs.add(pair)
                if self._resets:
                    pair.reset()
                    continue
            threading.Thread(target=pair.serve, args=self._there, daemon=True).start()


class _Pair:
    """One connection in, one out."""

    def __init__(self, here: socket.socket, is_open: threading.Event) -> None:
        self.is_dead = False
        self._is_open = is_open
        self._ends = [here]

    def serve(self, host: str, port: int) -> None:
        self._is_open.wait()
        try:
            there = socket.create_connection((host, port), timeout=10)
        except OSError:
            self.reset()
            return
        there.settimeout(None)
        self._ends.append(there)
        threading.Thread(target=self._pump, args=(there, self._ends[0]), daemon=True).start()
        self._pump(self._ends[0], there)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                self._is_open.wait()
                if self.is_dead:
                    return
                sink.sendall(data)
            self._is_open.wait()
            if not self.is_dead:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()

    def reset(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def close(self) -> None:
        for end in self._ends:
            # A thread may be inside recv: closing alone would not wake it, nor send anything.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RD)
            end.close()


def proxied(kubectl: Kubectl, directory: Path) -> tuple[CuttableProxy, Path]:
    """A proxy to the API server of the current context, and a kubeconfig that leads through it."""
    config: dict[str, Any] = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    cluster = config["clusters"][0]["cluster"]
    server = urlsplit(cluster["server"])
    assert server.hostname is not None
    proxy = CuttableProxy(server.hostname, server.port or 443)
    cluster["server"] = f"https://127.0.0.1:{proxy.port}"
    if server.hostname != "127.0.0.1":
        cluster.setdefault("tls-server-name", server.hostname)
    path = directory / f"kubeconfig-{proxy.port}"
    path.write_text(json.dumps(config), encoding="utf-8")
    return proxy, path
