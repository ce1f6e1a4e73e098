"""io_uring: no topic, but what the topics cannot see: requests by their kind, so that a report says what it lacks."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors.model import ProbeSpec
from podtrace_tracer.kernel.btf import Btf

SOURCE: Final = "collectors/io_uring.bpf.c"
STRUCTS: Final = {"io_kiocb": ("opcode",)}
_COSTS: Final = "operations through io_uring are not noticed; they are in no number anyway"

# The kernel has one of them, or no io_uring at all.
PROBES: Final = (
    ProbeSpec(tracepoint="io_uring_submit_req", costs=_COSTS, feature="io_kiocb", other="io_uring_submit_sqe"),
    ProbeSpec(tracepoint="io_uring_submit_sqe", costs=_COSTS, feature="io_kiocb", other="io_uring_submit_req"),
)

KNOWN_OPCODES: Final = 65
"""Requests with a number from here on are of unknown kinds; IORING_OP_URING_CMD128 was the newest."""

# Numbers of the kernel's enum io_uring_op below 64. A connect is not among them: attempts are counted by the states of
# their sockets, whoever asked for them. Nor is what no topic would count, were it a system call.
KINDS: Final = {
    "TRANSFERS": {
        "READV": 1, "WRITEV": 2, "READ_FIXED": 4, "WRITE_FIXED": 5, "READ": 22, "WRITE": 23, "SPLICE": 30,
        "READ_MULTISHOT": 49, "READV_FIXED": 60, "WRITEV_FIXED": 61,
    },
    "MESSAGES": {"SENDMSG": 9, "RECVMSG": 10, "SEND": 26, "RECV": 27, "SEND_ZC": 47, "SENDMSG_ZC": 48, "RECV_ZC": 58},
    "ACCEPTS": {"ACCEPT": 13},
    "NAMES": {"FSYNC": 3, "SYNC_FILE_RANGE": 8, "OPENAT": 18, "OPENAT2": 28, "RENAMEAT": 35, "UNLINKAT": 36},
    "CLOSES": {"CLOSE": 19},
}  # fmt: skip


def defines(btf: Btf) -> dict[str, int]:
    """The constants of the C text: bits by opcode, and which argument of the kernel's tracepoint tells the opcode."""
    values = {f"IO_URING_{kind}": sum(1 << number for number in names.values()) for kind, names in KINDS.items()}
    values["IO_URING_KNOWN"] = KNOWN_OPCODES
    arguments = next(filter(None, (btf.raw_tracepoint(probe.tracepoint) for probe in PROBES)), ())
    for place, argument in enumerate(arguments):
        if argument == "struct io_kiocb *":
            return values | {"IO_URING_REQUEST": place}
        if argument in {"u8", "unsigned char"}:
            return values | {"IO_URING_OPCODE": place}
    return values
