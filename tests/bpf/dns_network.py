"""A network namespace with a DNS server of our own, to which the programs in it look up names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
PREPARE = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


class DnsNetwork:
    """The server, started with the namespaces; `inside` is what a program is started with to be in them."""

    def __init__(self, directory: Path, options: str = "timeout:1 attempts:2") -> None:
        configuration = directory / "resolv.conf"
        configuration.write_text(f"nameserver 127.0.0.1\noptions {options}\n")
        self.process = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "sh", "-c", PREPARE, "sh", str(configuration)),
                *(sys.executable, str(HERE / "dns_server.py")),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._out.readline() == b"ready\n"

    @property
    def _out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def inside(self) -> tuple[str, ...]:
        """The words that put a command into the namespaces."""
        return ("nsenter", "--net", "--mount", "--target", str(self.process.pid))

    def _told(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self._out.readline())
        return told

    def asked(self) -> Counter[tuple[str, str, int]]:
        """How often each name and type was asked for, by transport: retransmissions too."""
        return Counter({(transport, name, kind): count for transport, name, kind, count in self._told()["queries"]})

    def answered(self) -> Counter[tuple[str, int]]:
        """How many answers each name was given with each code."""
        return Counter({(name, code): count for name, code, count in self._told()["answers"]})

    def asked_names(self) -> Counter[str]:
        """The same by name alone."""
        found: Counter[str] = Counter()
        for (_, name, _), count in self.asked().items():
            found[name] += count
        return found

    def close(self) -> None:
        """Leaves no process and no pipe behind."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
