"""What strace says that a program did after its release: by path, by connection, and with processes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.bpf.second_sources import READS, RECEIVES, SENDS, WRITES
from tests.bpf.stream import FileUse

COMMAND = ("strace", "-ff", "-ttt", "-yy", "-o")
FORKS = frozenset({"fork", "vfork", "clone", "clone3"})
LINE = re.compile(
    r"^(?P<at>\d+\.\d+) (?P<name>\w+)\((?P<arguments>.*)\)\s+= "
    r"(?P<result>-?\d+|\?)(?:<.*>)?(?: (?P<error>E[A-Z0-9_]+))?"
)
DESCRIPTOR = re.compile(r"^\d+<(?P<shown>/[^<>]*|TCP[^ ]*>?)")
RELEASE = re.compile(r"^(\d+\.\d+) read\(0<.*\"\\n\", \d+\)\s+= 1$", re.MULTILINE)


@dataclass
class Use:
    """Calls that succeeded; bytes by operation; files below the directory that was asked for."""

    files: dict[str, FileUse] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    execs: int = 0
    processes: int = 0


def strace_use(logs: list[Path], directory: Path) -> Use:
    """From the files of `strace -ff -ttt -yy`, one for each thread."""
    texts = [log.read_text(errors="replace") for log in logs]
    released = min(float(found[1]) for text in texts for found in [RELEASE.search(text)] if found)
    use = Use()
    for text in texts:
        for line in text.splitlines():
            found = LINE.match(line)
            if found and float(found["at"]) > released and found["error"] is None and found["result"] != "?":
                _add(use, found["name"], found["arguments"], int(found["result"]), str(directory))
    return use


def _add(use: Use, name: str, arguments: str, result: int, directory: str) -> None:
    descriptor = DESCRIPTOR.match(arguments)
    shown = descriptor["shown"] if descriptor else ""
    if name in FORKS and "CLONE_THREAD" not in arguments:
        use.processes += 1
    elif name in {"execve", "execveat"}:
        use.execs += 1
    elif name in {"unlink", "unlinkat"} and "AT_REMOVEDIR" not in arguments:
        use.calls["files.unlink"] += 1
    elif shown.startswith("TCP") and name in READS | WRITES | SENDS | RECEIVES:
        operation = "tcp.receive" if name in READS | RECEIVES else "tcp.send"
        use.calls[operation] += 1
        use.bytes[operation] += result
    elif shown.startswith(directory) and name in READS | WRITES | {"fsync", "fdatasync"}:
        _use_file(use, shown, operations=1, moved=result)
    elif name in {"open", "openat"}:
        path = re.search(r'"([^"]*)"', arguments)
        if path and path[1].startswith(directory):
            _use_file(use, path[1], opened=1)


def _use_file(use: Use, path: str, *, operations: int = 0, moved: int = 0, opened: int = 0) -> None:
    old = use.files.get(path, FileUse(operations=0, bytes=0, opened=0))
    use.files[path] = FileUse(
        operations=old.operations + operations, bytes=old.bytes + moved, opened=old.opened + opened
    )
