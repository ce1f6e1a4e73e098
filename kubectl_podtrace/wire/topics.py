"""The vocabulary of what is measured: topics, their operations, and the filters that users type.

A topic has this one name in every layer. An operation's place in `OPERATIONS` is its index in the kernel's tables; on
the wire it travels by name, so the order may change and names may be added.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing that is counted. `timed`: it has a latency histogram.

    `files.open` is counted for the topics files and descriptors alike: it is one system call, so it is counted once.
    """

    topic: str
    name: str
    timed: bool = False

    @property
    def full_name(self) -> str:
        """`topic.name`, as on the wire."""
        return f"{self.topic}.{self.name}"


DescriptorKindName = Literal["file", "socket", "pipe", "other"]
DESCRIPTOR_KINDS: Final[tuple[DescriptorKindName, ...]] = ("file", "socket", "pipe", "other")
"""The kinds of descriptors: what has a path is a file; what is neither file, socket nor pipe is anonymous."""

TCP_STATES: Final = (
    "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
    "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
)  # fmt: skip
"""The kernel's TCP states in the order of its enum, which starts at 1."""

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(topic="files", name="read", timed=True),
    Operation(topic="files", name="write", timed=True),
    Operation(topic="files", name="fsync", timed=True),
    Operation(topic="files", name="open", timed=True),
    Operation(topic="files", name="unlink", timed=True),
    Operation(topic="files", name="rename", timed=True),
    Operation(topic="tcp", name="send", timed=True),
    Operation(topic="tcp", name="receive", timed=True),
    Operation(topic="tcp", name="rtt", timed=True),
    Operation(topic="udp", name="send", timed=True),
    Operation(topic="udp", name="receive", timed=True),
    Operation(topic="udp", name="drop"),
    Operation(topic="queries", name="postgresql", timed=True),
    Operation(topic="queries", name="mysql", timed=True),
    Operation(topic="queries", name="prepare"),
    Operation(topic="dns", name="lookup", timed=True),
    Operation(topic="dns", name="retransmit"),
    Operation(topic="dns", name="answer"),
    Operation(topic="dns", name="timeout"),
    Operation(topic="connections", name="handshake", timed=True),
    Operation(topic="connections", name="attempt"),
    Operation(topic="connections", name="failure"),
    Operation(topic="connections", name="accept"),
    Operation(topic="tcp", name="retransmit"),
    Operation(topic="tcp", name="reset_sent"),
    Operation(topic="tcp", name="reset_received"),
    Operation(topic="cpu", name="block", timed=True),
    Operation(topic="cpu", name="run_queue", timed=True),
    Operation(topic="cpu", name="lock", timed=True),
    Operation(topic="cpu", name="disk", timed=True),
    Operation(topic="cpu", name="network", timed=True),
    Operation(topic="cpu", name="sleep", timed=True),
    Operation(topic="cpu", name="other", timed=True),
    Operation(topic="cpu", name="switch"),
    Operation(topic="cpu", name="run"),
    Operation(topic="locks", name="contended", timed=True),
    Operation(topic="locks", name="timeout"),
    Operation(topic="processes", name="exec"),
    Operation(topic="processes", name="fork_process"),
    Operation(topic="processes", name="fork_thread"),
    Operation(topic="processes", name="exit", timed=True),
    Operation(topic="memory", name="minor_fault"),
    Operation(topic="memory", name="major_fault"),
    Operation(topic="memory", name="oom_kill"),
    Operation(topic="descriptors", name="close"),
    *(Operation(topic="descriptors", name=f"opened_{kind}") for kind in DESCRIPTOR_KINDS),
    *(Operation(topic="descriptors", name=f"closed_{kind}") for kind in DESCRIPTOR_KINDS),
    *(Operation(topic="descriptors", name=f"ended_{kind}") for kind in DESCRIPTOR_KINDS),
    *(Operation(topic="tcp", name=f"state_{state.lower()}") for state in TCP_STATES),
    Operation(topic="io_uring", name="transfer"),
    Operation(topic="io_uring", name="message"),
    Operation(topic="io_uring", name="accept"),
    Operation(topic="io_uring", name="name"),
    Operation(topic="io_uring", name="close"),
    Operation(topic="io_uring", name="unknown"),
)

OPERATION_NAMES: Final = frozenset(operation.full_name for operation in OPERATIONS)

FILTERS: Final[dict[str, tuple[str, ...]]] = {
    "net": ("tcp", "udp", "connections"),
    "dns": ("dns",),
    "fs": ("files",),
    "cpu": ("cpu", "locks"),
    "proc": ("processes", "memory", "descriptors"),
    "db": ("queries",),
}
"""What `--filter` takes and the topics that each name stands for."""

TOPICS: Final = tuple(dict.fromkeys(topic for topics in FILTERS.values() for topic in topics))

RESTS_ON: Final = {"locks": "cpu"}
"""A topic that sees by the probes of another one, where both are traced: what those lack, it lacks too."""

EVERY_TOPIC: Final = "all"
"""Stands in place of a topic where something touches the numbers of all of them."""

BYPASSES: Final[dict[str, tuple[str, ...]]] = {
    "io_uring.transfer": ("files", "tcp", "udp", "dns"),
    "io_uring.message": ("tcp", "udp", "dns"),
    "io_uring.accept": ("tcp", "connections"),
    "io_uring.name": ("files", "descriptors"),
    "io_uring.close": ("descriptors",),
    "io_uring.unknown": ("files", "tcp", "udp", "dns", "connections", "descriptors"),
}
"""Operations that pass by what is counted, and the topics whose numbers lack them."""

ABORTED: Final = 0
"""The error number under which a connection attempt stands that its own program closed while it was under way."""

DNS_ERROR_CODES: Final = frozenset({1, 2, 4, 5})
"""The response codes of an answer that is an error: FORMERR, SERVFAIL, NOTIMP, REFUSED. NXDOMAIN is an answer."""
DNS_NXDOMAIN: Final = 3
DNS_TIMEOUT_NS: Final = 5_000_000_000
"""A lookup whose answer has not come after so long has timed out, also if one comes later."""

LONG_WAIT_NS: Final = 1_000_000
"""Waits off the CPU from this length on have stacks."""

EVENT_OPERATIONS: Final = frozenset({
    "tcp.send", "tcp.receive", "udp.send", "udp.receive", "connections.attempt", "connections.accept", "dns.lookup",
    "files.read", "files.write", "files.fsync", "files.open", "descriptors.close", "processes.exec",
    "processes.fork_process", "processes.fork_thread", "processes.exit",
})  # fmt: skip
"""The operations that `summary.events` adds up."""

ATTEMPTS: Final = frozenset({"connections.attempt"})
SENDS: Final = frozenset({"tcp.send", "udp.send"})
RECEIVES: Final = frozenset({"tcp.receive", "udp.receive"})
TRANSFERS: Final = SENDS | RECEIVES
"""What is followed over time beside the events: attempts to connect, and sends and receives."""


def event_operations(topics: Collection[str]) -> frozenset[str]:
    """The operations that `summary.events` adds up in a trace of these topics: of some filters alone, their own."""
    if topics and set(topics) <= set(FILTERS["cpu"]):
        return frozenset({"cpu.switch"})
    return frozenset({"queries.postgresql", "queries.mysql"}) if set(topics) == {"queries"} else EVENT_OPERATIONS
