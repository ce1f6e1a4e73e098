"""Programs with one ailment each, for the findings. Usage: ailing.py AILMENT [ARGUMENTS...]; ends with exit code 0."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as own:
        own.bind((HOST, 0))
        port: int = own.getsockname()[1]
        return port


def expect(number: int, act: Callable[..., object], *arguments: object) -> None:
    """It must fail, and so."""
    found = None
    try:
        act(*arguments)
    except OSError as error:
        found = error.errno
    assert found == number, found


def refused() -> None:
    """50 connections to a port that nobody listens on."""
    port = free_port()
    for _ in range(50):
        with socket.socket() as own:
            expect(errno.ECONNREFUSED, own.connect, (HOST, port))


def lookups(name: str, count: str, *, tries: int = 1) -> None:
    """So many queries of one name, each on a socket of its own that is closed unanswered after a moment."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    for number in range(int(count)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.connect((HOST, 53))
            own.settimeout(0.05 if name.startswith("never") else 30)
            query = struct.pack("!HHHHHH", number + 1, 0x0100, 1, 0, 0, 0)
            for _ in range(tries):
                own.send(query + question)
            if name.startswith("never"):
                no_answer(own)
            else:
                own.recv(512)


def no_answer(own: socket.socket) -> None:
    try:
        own.recv(512)
    except TimeoutError:
        return
    raise AssertionError("an answer")


def asked_twice(count: str) -> None:
    """So many names whose first query gets lost."""
    for number in range(int(count)):
        lookups(f"lost1.n{number}.example", "1", tries=2)


def search_in_vain(count: str, seconds: str) -> None:
    """So many names of others that search domains are tried for first; it stays for a while, as what looks up does."""
    for number in range(int(count)):
        socket.getaddrinfo(f"host{number}.vendor.example", 80, type=socket.SOCK_STREAM)
    time.sleep(float(seconds))


def slow_writes(directory: str) -> None:
    """30 writes that go to the disk, around all caches."""
    block = mmap.mmap(-1, 4096)
    file = os.open(Path(directory, "journal"), os.O_RDWR | os.O_CREAT | os.O_DIRECT | os.O_DSYNC, 0o600)
    for _ in range(30):
        os.pwrite(file, block, 0)


def full_disk(directory: str) -> None:
    """Writes until there is no place left."""
    file = os.open(Path(directory, "file"), os.O_RDWR | os.O_CREAT, 0o600)

    def fill() -> None:
        for _ in range(1 << 18):
            os.write(file, bytes(4096))

    expect(errno.ENOSPC, fill)


def forbidden(path: str) -> None:
    """A file that this user may not read, asked for a thousand times."""
    os.setuid(65534)
    for _ in range(1_000):
        expect(errno.EACCES, os.open, path, os.O_RDONLY)


def leaking(directory: str, seconds: str) -> None:
    """Ten files a second that are never closed."""
    opened = []
    for number in range(int(seconds) * 10):
        opened.append(os.open(Path(directory, str(number % 7)), os.O_RDWR | os.O_CREAT, 0o600))
        time.sleep(0.1)


def near_limit() -> None:
    """90 of 100 descriptors, until it is told to end."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    while os.open("/dev/null", os.O_RDONLY) < 90:
        pass
    threading.Event().wait()


def out_of_descriptors() -> None:
    """One descriptor more than there may be."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    opened: list[int] = []

    def fill() -> None:
        for _ in range(60):
            opened.append(os.open("/dev/null", os.O_RDONLY))  # noqa: PERF401 - what was opened before it failed counts

    expect(errno.EMFILE, fill)
    for descriptor in opened:
        os.close(descriptor)


def children(script: str, count: str, status: str) -> None:
    """So many children that end so."""
    for _ in range(int(count)):
        done = subprocess.run(["/bin/sh", "-c", script], stderr=subprocess.DEVNULL, check=False)
        assert done.returncode == int(status), done


def busy(seconds: str, processes: str) -> None:
    """So many processes that compute, and do nothing else."""
    own = [os.fork() for _ in range(int(processes))]
    if 0 in own:
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            pass
        os._exit(0)
    for child in own:
        os.waitpid(child, 0)


def fight(seconds: str) -> None:
    """Four threads, one of which sleeps while it holds the C library's mutex that the others wait for."""
    library, mutex, end = ctypes.CDLL(None), ctypes.create_string_buffer(64), time.monotonic() + float(seconds)

    def hold() -> None:
        while time.monotonic() < end:
            library.pthread_mutex_lock(mutex)
            time.sleep(0.01)
            library.pthread_mutex_unlock(mutex)

    fighters = [threading.Thread(target=hold) for _ in range(4)]
    for fighter in fighters:
        fighter.start()
    for fighter in fighters:
        fighter.join()


def fight_in_python(seconds: str) -> None:
    """The same with Python's own lock, which is a semaphore to the kernel."""
    lock, end = threading.Lock(), time.monotonic() + float(seconds)

    def hold() -> None:
        while time.monotonic() < end:
            with lock:
                time.sleep(0.01)

    fighters = [threading.Thread(target=hold) for _ in range(4)]
    for fighter in fighters:
        fighter.start()
    for fighter in fighters:
        fighter.join()


def hold(size: str) -> None:
    """So many MiB that are kept, until it is told to end."""
    kept = bytearray(b"x") * (int(size) << 20)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while kept:
        time.sleep(0.05)


def greedy(size: str) -> None:
    """A child that takes more memory than it may have, and is killed for it."""
    child = os.fork()
    if not child:
        bytearray(os.urandom(1 << 20) * int(size))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 9


def spin() -> None:
    """Computes until it is told to end."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        pass


def serving(serve: Callable[[socket.socket], None], *, backlog: int = 64) -> int:
    """The port of a server whose every client is served in a thread of its own."""
    listener = socket.create_server(("", 0), backlog=backlog)

    def accept() -> None:
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def echo(client: socket.socket) -> None:
    with client:
        while data := client.recv(1 << 16):
            client.sendall(data)


def answer_and_reset(client: socket.socket) -> None:
    for _ in range(30):
        client.sendall(client.recv(64))
    client.recv(64)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
    client.close()


def broken() -> None:
    """20 connections that work for a while, until the server drops them."""
    port = serving(answer_and_reset)
    for _ in range(20):
        with socket.create_connection((HOST, port)) as own:
            for _ in range(30):
                own.sendall(b"question")
                own.recv(64)
            own.sendall(b"one more")
            expect(errno.ECONNRESET, own.recv, 64)


def hung_up() -> None:
    """100 sends into a connection that is no more."""
    port = serving(lambda client: client.close())
    with socket.create_connection((HOST, port)) as own:
        assert own.recv(1) == b""
        own.shutdown(socket.SHUT_WR)
        for _ in range(100):
            expect(errno.EPIPE, own.send, b"x", socket.MSG_NOSIGNAL)


def talk(host: str, turns: str) -> None:
    """A connection on which question and answer alternate."""
    port = serving(echo)
    with socket.create_connection((host, int(port))) as own:
        for _ in range(int(turns)):
            own.sendall(b"x" * 1_000)
            own.recv(1 << 16)


def talk_once(host: str, count: str) -> None:
    """A connection for each question."""
    port = serving(echo)
    for _ in range(int(count)):
        with socket.create_connection((host, port)) as own:
            own.sendall(b"question")
            own.recv(64)


def upload(host: str, blocks: str) -> None:
    """Blocks of 64 KiB to a server that swallows them."""

    def swallow(client: socket.socket) -> None:
        while client.recv(1 << 20):
            pass
        client.close()

    with socket.create_connection((host, serving(swallow))) as own:
        for _ in range(int(blocks)):
            own.sendall(bytes(1 << 16))
        own.shutdown(socket.SHUT_WR)
        own.recv(1)


def knock(host: str, count: str) -> None:
    """Connections that are opened side by side, and closed again."""
    port = serving(lambda client: client.close())
    clients = [
        threading.Thread(target=lambda: socket.create_connection((host, port)).close()) for _ in range(int(count))
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def unheard_datagrams() -> None:
    """Datagrams to a port that nobody listens on: the next call says so."""
    port = free_port(socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.connect((HOST, port))
        for _ in range(50):
            own.send(b"x")
            expect(errno.ECONNREFUSED, own.recv, 1)


def flood() -> None:
    """Datagrams that are not read in time."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        own.bind((HOST, 0))
        for _ in range(1_000):
            far.sendto(bytes(1_000), own.getsockname())
        own.recv(2_000)


def work() -> None:
    """Reads and opens, until it is told to end."""
    while True:
        with Path(__file__).open("rb") as file:
            file.read(1)
        time.sleep(0.001)


def bereave() -> None:
    """Kills the tracer that watches it: another child of who started it. Then nothing, until it is told to end."""
    siblings = Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split()
    (tracer,) = (
        pid for pid in siblings if b"podtrace_tracer" in Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
    )
    os.kill(int(tracer), signal.SIGKILL)
    threading.Event().wait()


def wait() -> None:
    """Nothing at all, until it is told to end."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()


AILMENTS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        refused, lookups, asked_twice, search_in_vain, slow_writes, full_disk, forbidden, leaking, near_limit,
        out_of_descriptors, children, busy, fight, fight_in_python, hold, greedy, spin, broken, hung_up, talk,
        talk_once, upload, knock, unheard_datagrams, flood, work, bereave, wait,
    )
}  # fmt: skip

if __name__ == "__main__":
    AILMENTS[sys.argv[1]](*sys.argv[2:])
