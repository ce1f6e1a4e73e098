"""What a tracer writes, without a kernel: a short and consistent stream, encoded by the wire's own codec."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kubectl_podtrace import __version__
from kubectl_podtrace.wire.codec import Line, encode
from kubectl_podtrace.wire.records import (
    Event,
    Header,
    Heartbeat,
    Probe,
    Record,
    Refusal,
    Scope,
    Totals,
    TotalsRow,
    Trailer,
)
from kubectl_podtrace.wire.version import WIRE_VERSION

SECOND_NS: Final = 10**9
READS: Final = 7919
READ_BYTES: Final = 104_729
SECOND_READS: Final = 1_009

HEADER: Final = Header(
    wire_version=WIRE_VERSION,
    tracer_version=__version__,
    node="node-a",
    kernel="6.1.0",
    machine="x86_64",
    bcc_version="0.31.0",
    boot_id="b",
    realtime_offset_ns=1_700_000_000 * SECOND_NS,
    topics=("files",),
    fs_threshold_ns=10_000_000,
    rtt_threshold_ns=100_000_000,
    duration_ns=SECOND_NS,
    scope_mode="v2",
    started_ns=0,
)
HEARTBEAT: Final = Heartbeat(
    lost=(), dropped=(), suppressed=(), tables=(), stream_bytes=1000, cpu_ns=1000, rss_bytes=1000
)
READS_ROW: Final = TotalsRow(
    scope=0,
    operation="files.read",
    count=READS,
    errors=0,
    would_block=0,
    interrupted=0,
    bytes=READ_BYTES,
    messages=0,
    timed=0,
    slow=0,
    sum_ns=0,
    max_ns=0,
    max_bytes=0,
)


def beginning() -> list[bytes]:
    """The lines up to the moment at which all probes are attached."""
    probe = Probe(
        name="raw_tracepoint:sys_exit", topic="files", attached=True, required=True, costs="everything", reason=""
    )
    return _encoded(
        0,
        HEADER,
        Scope(index=0, cgroup_id=4242, cgroup="/kubepods/pod1/aaaa", container_id="aaaa"),
        probe,
        replace(HEADER, started_ns=2 * SECOND_NS),
    )


def end() -> list[bytes]:
    """The final snapshot and the trailer."""
    trailer = Trailer(ended_ns=3 * SECOND_NS, reason="duration", heartbeat=HEARTBEAT, totals=(READS_ROW,))
    return _encoded(4, Totals(rows=(READS_ROW,)), trailer)


def end_after_restart() -> list[bytes]:
    """The container was killed half a second after the start, and began anew with another id: `SECOND_READS` more."""
    killed = Event(
        scope=0, operation="processes.exit", pid=1, node_pid=4_001, comm="app", start_ns=SECOND_NS,
        duration_ns=SECOND_NS + SECOND_NS // 2, errno=0, signal=9, result=0, slow=False, name="", address="", port=0,
    )  # fmt: skip
    second = replace(READS_ROW, scope=1, count=SECOND_READS, bytes=0)
    both = replace(READS_ROW, count=READS + SECOND_READS)
    return _encoded(
        4,
        killed,
        Scope(index=1, cgroup_id=4243, cgroup="/kubepods/pod1/bbbb", container_id="bbbb"),
        Totals(rows=(READS_ROW, second)),
        Trailer(ended_ns=60 * SECOND_NS, reason="duration", heartbeat=HEARTBEAT, totals=(both,)),
    )


def refusal() -> list[bytes]:
    """A tracer that cannot trace on its node."""
    return _encoded(0, HEADER, Refusal(slug="no-btf", text="this kernel has no BTF", hint="use a kernel with BTF"))


def _encoded(first_seq: int, *records: Record) -> list[bytes]:
    return [
        encode(Line(seq=seq, at_ns=(2 + seq) * SECOND_NS, record=record)).rstrip(b"\n")
        for seq, record in enumerate(records, start=first_seq)
    ]
