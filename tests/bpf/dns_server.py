"""A DNS server on port 53 of its own network namespace, which does as the first label of a name says, and counts.

`never` gets no answer, `nx`, `servfail`, `refused`, `formerr` and `notimp` get that code, `cut` is truncated over UDP,
`slow17` is answered after 17 ms, `late` after 5.5 s, `lost2` from the third transmission on, `alias` by way of two
aliases, `v4only` has no IPv6 address, there is nothing below `absent`; anything else gets one address. Prints `ready`;
on a line of stdin it prints what it has counted, as JSON.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter

CODES = {"formerr": 1, "servfail": 2, "nx": 3, "notimp": 4, "refused": 5}
A, AAAA = 1, 28
TARGET = b"\x05final\x07example\x00"


def address_of(name: str, kind: int) -> bytes:
    """The address that a name has: its length stands in it."""
    return bytes([10, 0, 0, len(name)]) if kind == A else bytes.fromhex("fd00") + bytes(13) + bytes([len(name)])


class Server:
    """Everything that was asked and answered."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.queries: Counter[tuple[str, str, int]] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()

    def answer(self, query: bytes, transport: str) -> tuple[float, bytes] | None:
        """What to send back, and after how many seconds."""
        end = query.index(b"\0", 12) + 1
        name = ".".join(label.decode() for label in labels(query[12:end])).lower()
        kind = struct.unpack_from("!H", query, end)[0]
        with self.lock:
            self.queries[transport, name, kind] += 1
            transmission = self.queries[transport, name, kind]
        first = name.split(".")[0]
        lost = re.fullmatch(r"lost(\d+)", first)
        if first == "never" or (lost and transmission <= int(lost[1])):
            return None
        code = CODES["nx"] if name.endswith(".absent") else CODES.get(first, 0)
        records = (
            []
            if code or (first == "v4only" and kind == AAAA) or kind not in (A, AAAA)
            else self.records(first, name, kind)
        )
        flags = 0x8180 | code | (0x0200 if first == "cut" and transport == "udp" else 0)
        if flags & 0x0200:
            records = []
        header = query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        slow = re.fullmatch(r"slow(\d+)", first)
        delay = 5.5 if first == "late" else int(slow[1]) / 1000 if slow else 0.0
        with self.lock:
            self.answers[name, code] += 1
        return delay, header + query[12 : end + 4] + b"".join(records)

    @staticmethod
    def records(first: str, name: str, kind: int) -> list[bytes]:
        """The answer section."""

        def record(owner: bytes, of: int, data: bytes) -> bytes:
            return owner + struct.pack("!HHIH", of, 1, 60, len(data)) + data

        data = address_of(name, kind)
        if not first.startswith("alias"):
            return [record(b"\xc0\x0c", kind, data)]
        middle = b"\x06middle\x07example\x00"
        return [record(b"\xc0\x0c", 5, middle), record(middle, 5, TARGET), record(TARGET, kind, data)]

    def serve_udp(self, own: socket.socket) -> None:
        while True:
            query, client = own.recvfrom(4096)
            answer = self.answer(query, "udp")
            if answer and answer[0]:
                threading.Timer(answer[0], own.sendto, (answer[1], client)).start()
            elif answer:
                own.sendto(answer[1], client)

    def serve_tcp(self, own: socket.socket) -> None:
        while True:
            client, _ = own.accept()
            threading.Thread(target=self.serve_client, args=(client,), daemon=True).start()

    def serve_client(self, client: socket.socket) -> None:
        data = b""
        with client:
            while more := client.recv(4096):
                data += more
                while len(data) >= 2 and len(data) >= 2 + struct.unpack_from("!H", data)[0]:
                    size = struct.unpack_from("!H", data)[0]
                    answer = self.answer(data[2 : 2 + size], "tcp")
                    data = data[2 + size :]
                    if answer:
                        time.sleep(answer[0])
                        client.sendall(struct.pack("!H", len(answer[1])) + answer[1])

    def told(self) -> str:
        """What was counted."""
        with self.lock:
            queries = [[*key, count] for key, count in sorted(self.queries.items())]
            answers = [[*key, count] for key, count in sorted(self.answers.items())]
            return json.dumps({"queries": queries, "answers": answers})


def labels(name: bytes) -> list[bytes]:
    found = []
    while name and name[0]:
        found.append(name[1 : 1 + name[0]])
        name = name[1 + name[0] :]
    return found


def main() -> None:
    server = Server()
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        datagrams.bind((address, 53))
        stream = socket.create_server((address, 53), family=family, backlog=64)
        threading.Thread(target=server.serve_udp, args=(datagrams,), daemon=True).start()
        threading.Thread(target=server.serve_tcp, args=(stream,), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(server.told() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
