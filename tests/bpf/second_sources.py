"""What strace, /proc and ss say about a load: they know nothing of the tracer, and the tracer nothing of them."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

READS = frozenset({"read", "pread64", "readv", "preadv", "preadv2"})
WRITES = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2"})
FLUSHES = frozenset({"fsync", "fdatasync", "sync_file_range"})
SENDS = frozenset({"sendto", "sendmsg", "sendmmsg"})
RECEIVES = frozenset({"recvfrom", "recvmsg", "recvmmsg"})
BY_NAME = {
    **dict.fromkeys(("open", "openat", "openat2", "creat"), "files.open"),
    **dict.fromkeys(("unlink", "unlinkat"), "files.unlink"),
    **dict.fromkeys(("rename", "renameat", "renameat2"), "files.rename"),
    "close": "descriptors.close",
}
COPIES = {"sendfile": (1, 0), "splice": (0, 1), "copy_file_range": (0, 1)}
"""Which of their descriptors, counted from the left, is the source, and which the destination."""

OPERATION = {
    **{(kind, verb): f"{kind}.{verb}" for kind in ("files", "other") for verb in ("read", "write")},
    ("tcp", "read"): "tcp.receive",
    ("tcp", "write"): "tcp.send",
    ("udp", "read"): "udp.receive",
    ("udp", "write"): "udp.send",
}
LINE = re.compile(
    r"^(?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+|\?)"
    r"(?:<[^ ]*>+(?:\(deleted\))?)?(?: (?P<error>E[A-Z0-9_]+))?"
)
DESCRIPTOR = re.compile(r"\b\d+<((?:[^<>]|<[^<>]*>|(?<=-)>)*)>")


def _kind(shown: str, directories: frozenset[str]) -> str:
    """What a descriptor is, by what `strace -yy` shows of it."""
    if shown.startswith(("TCP", "UDP")):
        return shown[:3].lower()
    regular = shown.startswith("/") and "<" not in shown and shown not in directories
    return "files" if regular else "other"


def _operations(name: str, arguments: str, directories: frozenset[str]) -> list[str]:
    kinds = [_kind(shown, directories) for shown in DESCRIPTOR.findall(arguments)]
    if name in BY_NAME:
        return [BY_NAME[name]]
    if name in COPIES and len(kinds) >= 2:
        source, destination = (kinds[place] for place in COPIES[name])
        return [OPERATION[source, "read"], OPERATION[destination, "write"]]
    kind = kinds[0] if kinds else "other"
    if name in READS | RECEIVES and "MSG_PEEK" not in arguments:
        return [OPERATION[kind, "read"]]
    if name in WRITES | SENDS:
        return [OPERATION[kind, "write"]]
    return [f"{kind}.fsync"] if name in FLUSHES else []


def strace_calls(logs: list[Path], directories: frozenset[str]) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Calls by operation and errors by operation and name, after the load was released; from `strace -ff -yy -o`."""
    calls: Counter[str] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    for log in logs:
        text = log.read_text(errors="replace")
        _, released, after = text.partition('"\\n", 1) ')
        for line in (after if released else text).splitlines():
            found = LINE.match(line)
            if found is None or found["error"] == "EBADF":
                continue
            for operation in _operations(found["name"], found["arguments"], directories):
                calls[operation] += 1
                if found["error"] not in {None, "EAGAIN"} and found["result"] != "?":
                    errors[operation, found["error"]] += 1
    for name in [name for name in calls if name.startswith("other")]:
        del calls[name]
    return calls, Counter({key: count for key, count in errors.items() if not key[0].startswith("other")})


def proc_io(pid: int) -> tuple[int, int]:
    """Bytes that a process has read and written through system calls, as the kernel accounts for them."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["rchar"]), int(fields["wchar"])


def socket_statistics(pid: int, field: str, *, inside: tuple[str, ...] = ()) -> list[float]:
    """One value of `ss -ti` for each established connection of a process."""
    shown = subprocess.run(
        [*inside, "ss", "-tinpHO", "state", "established"], capture_output=True, text=True, check=True
    )
    own = [line for line in shown.stdout.splitlines() if f"pid={pid}," in line]
    return [float(value) for line in own for value in re.findall(rf"\b{field}:([0-9.]+)", line)]


def net_counter(pid: int, protocol: str, name: str) -> int:
    """A counter of /proc/PID/net/snmp or netstat (of a network namespace), by the word that starts its line."""
    text = "".join(Path(f"/proc/{pid}/net/{table}").read_text() for table in ("snmp", "netstat"))
    lines = [line.split() for line in text.splitlines() if line.startswith(f"{protocol}:")]
    return int(dict(zip(lines[0], lines[1], strict=True))[name])


def segments_sent_again(pid: int) -> int:
    """Retransmissions that left the machine: the kernel counts an attempt first, and a failed one once more, apart."""
    return net_counter(pid, "Tcp", "RetransSegs") - net_counter(pid, "TcpExt", "TCPRetransFail")


def exact_percentile(values: list[int], fraction: float) -> float:
    """R-7: linear between the order statistics at `(n - 1) * fraction`."""
    ordered = sorted(values)
    below, rest = divmod((len(ordered) - 1) * fraction, 1)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + (high - low) * rest


MAKERS = re.compile(
    r"^(?:(?:open|openat|open_by_handle_at|open_tree|fsopen|fspick|socket|accept4?|dup|eventfd2?|memfd_\w+|epoll_create1?"
    r"|timerfd_create|inotify_init1?|fanotify_init|perf_event_open|bpf|io_uring_setup|userfaultfd|mq_open|pidfd_\w+)\("
    r"|(?:dup[23]\((?P<old>\d+)<.*>, (?!(?P=old)\b))|(?:fcntl\(.*F_DUPFD)|(?:signalfd4?\(-1)"
    r"|(?:seccomp\(.*NEW_LISTENER)|(?:landlock_create_ruleset\(\{))"
)
RESULT = re.compile(r" = (?P<number>\d+)(?:<(?P<link>.*)>)?(?:\(deleted\))?(?: \(flags .*\))?$")
IN_ARGUMENTS = re.compile(
    r"^(?:pipe2?|socketpair)\(.*\[(\d+<.*>)\].* = 0$|^clone3?\(.*CLONE_PIDFD.*=\[(\d+<.*>)\].* = [1-9]"
)
RECEIVED = re.compile(r"cmsg_type=SCM_RIGHTS, cmsg_data=\[(.*?)\]\}")
LISTED = re.compile(r"\d+<(.*?)>(?:\(deleted\))?(?=, \d+<|$)")
SHOWN_SOCKET = re.compile(r"(?:socket|(?:TCP|UDP|UNIX)[\w-]*):\[")


def kind_by_link(link: str) -> str:
    """The kind of a descriptor by what /proc/PID/fd or strace shows of it."""
    if SHOWN_SOCKET.match(link):
        return "socket"
    if link.startswith("/") and not link.startswith(("/memfd:", "/secretmem")):
        return "file"
    return "pipe" if link.startswith("pipe:") else "other"


def table_kinds(pid: int) -> Counter[str]:
    """What a process has open now."""
    return Counter(kind_by_link(str(path.readlink())) for path in Path(f"/proc/{pid}/fd").iterdir())


def _made(line: str) -> list[str]:
    """What strace shows of the descriptors that a call made."""
    if line.startswith(("recvmsg(", "recvmmsg(")):
        return [link for data in RECEIVED.findall(line) for link in LISTED.findall(data)]
    if several := IN_ARGUMENTS.match(line):
        return LISTED.findall(several[1] or several[2])
    result = RESULT.search(line) if MAKERS.match(line) else None
    if result is None:
        return []
    # strace does not know that this call returns a descriptor.
    return [result["link"] or ("/" if line.startswith("open_by_handle_at") else "")]


def strace_opened_kinds(logs: list[Path]) -> dict[str, int]:
    """How many descriptors of each kind came to be after the load was released; from `strace -ff -yy -v -o`."""
    kinds: Counter[str] = Counter()
    for log in logs:
        text = log.read_text(errors="replace")
        _, released, after = text.partition('"\\n", 1) ')
        for line in (after if released else text).splitlines():
            kinds.update(kind_by_link(link) for link in _made(line))
    return dict(kinds)
