"""The known work of `workloads/work.*`, in Python: files, connections and child processes, counted as they come.

Usage: work.py DIRECTORY PORT REFUSED. Each file is written, flushed, read back and removed; PORT answers with what it
is sent, and on REFUSED nobody listens.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

FILES, WRITES, MISSING, CONNECTIONS, ROUNDS, REFUSED, CHILDREN = 13, 7, 5, 11, 3, 5, 3
BLOCK, MESSAGE = b"f" * 101, b"m" * 53
HOST = "127.0.0.1"


def use_file(path: str) -> list[object]:
    operations = moved = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    for _ in range(WRITES):
        moved += os.write(descriptor, BLOCK)
        operations += 1
    os.fsync(descriptor)
    operations += 1
    os.close(descriptor)
    descriptor = os.open(path, os.O_RDONLY)
    while True:
        got = len(os.read(descriptor, len(BLOCK)))
        operations += 1
        moved += got
        if not got:
            break
    os.close(descriptor)
    Path(path).unlink()
    return [path, operations, moved, 2]


def missing(directory: str) -> int:
    failed = 0
    for number in range(MISSING):
        try:
            os.open(f"{directory}/missing-{number}", os.O_RDONLY)
        except FileNotFoundError:
            failed += 1
    return failed


def talk(port: int) -> tuple[int, int, int, int]:
    sends = sent = receives = received = 0
    with socket.socket() as connection:
        connection.connect((HOST, port))
        for _ in range(ROUNDS):
            sent += connection.send(MESSAGE)
            sends += 1
            waiting = len(MESSAGE)
            while waiting:
                got = len(connection.recv(len(MESSAGE)))
                receives, received, waiting = receives + 1, received + got, waiting - got
    return sends, sent, receives, received


def refused(port: int) -> int:
    failed = 0
    for _ in range(REFUSED):
        with socket.socket() as connection:
            try:
                connection.connect((HOST, port))
            except ConnectionRefusedError:
                failed += 1
    return failed


def main() -> None:
    directory, port, closed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print("ready", flush=True)
    sys.stdin.readline()
    files = [use_file(f"{directory}/file-{number}") for number in range(FILES)]
    failed_opens = missing(directory)
    talks = [talk(port) for _ in range(CONNECTIONS)]
    failed = refused(closed)
    children = [subprocess.run(["/bin/true"], check=True).returncode for _ in range(CHILDREN)]
    told = {
        "operations": {},
        "errors": [],
        "files": files,
        "failed_opens": failed_opens,
        "sends": sum(each[0] for each in talks),
        "sent": sum(each[1] for each in talks),
        "receives": sum(each[2] for each in talks),
        "received": sum(each[3] for each in talks),
        "targets": [[HOST, port, len(talks), 0, len(talks)], [HOST, closed, failed, failed, 0]],
        "children": len(children),
    }
    print(json.dumps(told), flush=True)


main()
