"""Programs that nothing is wrong with, for the findings. Usage: well.py PROGRAM [ARGUMENTS...]."""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.server
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"


def web() -> None:
    """A web server and a hundred requests, each on a connection of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for _ in range(100):
            with urllib.request.urlopen(f"http://{HOST}:{server.server_port}/") as answer:
                assert answer.read() == b"hello"
        server.shutdown()


def dual_stack() -> None:
    """A client that tries IPv6 first, where nobody listens, and comes through over IPv4."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        for _ in range(20):
            for family, address in ((socket.AF_INET6, "::1"), (socket.AF_INET, HOST)):
                with socket.socket(family) as own:
                    if own.connect_ex((address, port)) == 0:
                        listener.accept()[0].close()


def database(directory: str) -> None:
    """300 commits."""
    connection = sqlite3.connect(Path(directory, "orders.db"))
    connection.execute("CREATE TABLE orders (number INTEGER)")
    for number in range(300):
        connection.execute("INSERT INTO orders VALUES (?)", (number,))
        connection.commit()
    connection.close()


def threads() -> None:
    """Threads that share a lock."""
    lock, total = threading.Lock(), [0]

    def count() -> None:
        for _ in range(10_000):
            with lock:
                total[0] += 1

    workers = [threading.Thread(target=count) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert total == [80_000]


def pool() -> None:
    """Threads of a pool that all wait for work at one lock, most of the time."""
    with concurrent.futures.ThreadPoolExecutor(4) as workers:
        met = threading.Barrier(4)
        for _ in range(4):
            workers.submit(met.wait)
        for _ in range(300):
            workers.submit(int)
            time.sleep(0.01)


def event_loop() -> None:
    """Connections that are kept, on an event loop."""

    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, HOST, 0)
        port = server.sockets[0].getsockname()[1]

        async def ask() -> None:
            reader, writer = await asyncio.open_connection(HOST, port)
            for _ in range(100):
                writer.write(b"question\n")
                assert await reader.readline() == b"question\n"
            writer.close()
            await writer.wait_closed()

        await asyncio.gather(*(ask() for _ in range(10)))
        server.close()

    asyncio.run(main())


def datagrams() -> None:
    """Datagrams that are all read."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        own.bind((HOST, 0))
        for number in range(500):
            far.sendto(b"%d" % number, own.getsockname())
            assert own.recv(100) == b"%d" % number


def server_and_client(*words: str) -> None:
    """SERVER... -- CLIENT...: starts the one, waits until it says that it is ready, runs the other, ends the first."""
    at = words.index("--")
    with subprocess.Popen(words[:at], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        while "eady" not in server.stdout.readline():
            assert server.poll() is None
        subprocess.run(words[at + 1 :], check=True, stdout=subprocess.DEVNULL)
        server.send_signal(signal.SIGTERM)
        server.stdout.read()
        assert server.wait() == 0


PROGRAMS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (web, dual_stack, database, threads, pool, event_loop, datagrams, server_and_client)
}

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
