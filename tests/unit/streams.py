"""Streams as a tracer would write them, made from durations, errors and names that a test chooses.

Real: the records, the codec, the histogram's arithmetic. Made up: the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.wire.activity_records import Activity, ActivityRow
from kubectl_podtrace.wire.codec import Line, encode
from kubectl_podtrace.wire.cost_records import Cost, ProgramCostRow, Shed
from kubectl_podtrace.wire.cpu_records import CpuProcesses, CpuProcessRow, Throttling, ThrottlingRow
from kubectl_podtrace.wire.descriptor_records import DescriptorOpenerRow, DescriptorTableRow
from kubectl_podtrace.wire.dns_records import (
    AddressNameRow,
    AddressNames,
    DnsCodeRow,
    DnsCodes,
    DnsNameRow,
    DnsNames,
    DnsTypeRow,
    DnsTypes,
    ResolverRow,
    Resolvers,
)
from kubectl_podtrace.wire.file_records import FailedOpenRow, FailedOpens, FileRow, Files
from kubectl_podtrace.wire.histogram import bucket_of
from kubectl_podtrace.wire.records import (
    ErrorRow,
    Event,
    ExitRow,
    Exits,
    Header,
    Heartbeat,
    Histogram,
    LostRow,
    Probe,
    Processes,
    ProcessRow,
    Record,
    Scope,
    TargetRow,
    Targets,
    Totals,
    TotalsRow,
    Trailer,
)
from kubectl_podtrace.wire.topics import TOPICS
from kubectl_podtrace.wire.version import WIRE_VERSION

SECOND = 1_000_000_000
STARTED = 1_000 * SECOND
OFFSET = 1_767_225_600 * SECOND - STARTED
"""The probes were attached at 2026-01-01 00:00:00 UTC."""
CONTAINER_ID = "ab" * 32
SIDECAR_ID = "cd" * 32

HEADER = Header(
    wire_version=WIRE_VERSION,
    tracer_version="0.1.0",
    node="worker-1",
    kernel="6.1.0-18-amd64",
    machine="x86_64",
    bcc_version="0.31.0",
    boot_id="00000000-0000-0000-0000-000000000000",
    realtime_offset_ns=OFFSET,
    topics=TOPICS,
    fs_threshold_ns=10_000_000,
    rtt_threshold_ns=100_000_000,
    duration_ns=30 * SECOND,
    scope_mode="cgroup",
    started_ns=STARTED,
)
HEARTBEAT = Heartbeat(
    lost=(), dropped=(), suppressed=(), tables=(), stream_bytes=12_345, cpu_ns=420_000_000, rss_bytes=98_000_000
)


def totals_row(operation: str, *, scope: int = 0, **counters: int) -> TotalsRow:
    names = (
        "count", "errors", "would_block", "interrupted", "bytes", "messages", "timed", "slow", "sum_ns", "max_ns",
        "max_bytes",
    )  # fmt: skip
    return TotalsRow(scope=scope, operation=operation, **{**dict.fromkeys(names, 0), **counters})


def timed(
    operation: str, durations: Iterable[int], *, scope: int = 0, slow_above: int | None = None, **counters: int
) -> tuple[TotalsRow, Histogram]:
    """The counters and the histogram of an operation that took so long each time."""
    values = list(durations)
    buckets = Counter(map(bucket_of, values))
    row = totals_row(
        operation,
        scope=scope,
        **{
            "count": len(values),
            "timed": len(values),
            "sum_ns": sum(values),
            "max_ns": max(values, default=0),
            "slow": 0 if slow_above is None else sum(value > slow_above for value in values),
            **counters,
        },
    )
    flat = tuple(number for pair in sorted(buckets.items()) for number in pair)
    return row, Histogram(scope=scope, operation=operation, buckets=flat)


def error_rows(operation: str, errors: Mapping[int, int], *, scope: int = 0) -> tuple[ErrorRow, ...]:
    return tuple(
        ErrorRow(scope=scope, operation=operation, errno=number, count=count) for number, count in errors.items()
    )


def table_row(*, pid: int = 12, comm: str = "worker", **numbers: int) -> DescriptorTableRow:
    """A process that has been there since the start of the trace; what is not named is 0."""
    names = (
        "limit", "sampled", "first_file", "first_socket", "first_pipe", "first_other",
        "file", "socket", "pipe", "other",
    )  # fmt: skip
    return DescriptorTableRow(
        scope=0,
        pid=pid,
        node_pid=40_000 + pid,
        start_ns=6,
        comm=comm,
        alive=True,
        since_ns=STARTED,
        **{**dict.fromkeys(names, 0), **numbers},
    )


def opener_row(*, pid: int = 12, kind: str = "socket", **values: Any) -> DescriptorOpenerRow:
    """Who opened descriptors of a process as `table_row` has it; what is not named is 0, or nothing."""
    nothing = {"key": 0, "open": 0, "older": 0, "frames": ()}
    return DescriptorOpenerRow(scope=0, node_pid=40_000 + pid, start_ns=6, kind=kind, **{**nothing, **values})


def activity(times_s: Iterable[float], events: Iterable[int], *, scope: int = 0, **sums: Iterable[int]) -> Activity:
    """Readings of one scope, so many seconds after the start of the trace; sums that are not named are 0."""
    times = tuple(STARTED + round(at_s * SECOND) for at_s in times_s)
    nothing = dict.fromkeys(("attempts", "transfers", "bytes"), (0,) * len(times))
    named = {name: tuple(values) for name, values in sums.items()}
    row = ActivityRow(scope=scope, events=tuple(events), **{**nothing, **named})
    return Activity(interval_ns=SECOND // 10, times=times, rows=(row,))


class Stream:
    """Lines in order; remembers the newest totals, so that it can end with a trailer that agrees with them."""

    def __init__(self, header: Header = HEADER) -> None:
        self.header = header
        self.lines: list[bytes] = []
        self.heartbeat = HEARTBEAT
        self._totals: dict[tuple[int, str], TotalsRow] = {}
        self.add(replace(header, started_ns=0), at_s=-1)
        self.add(header, at_s=0)

    @property
    def next_seq(self) -> int:
        return len(self.lines)

    def add(self, *records: Record, at_s: float = 1) -> None:
        for record in records:
            if isinstance(record, Totals):
                self._totals.update({(row.scope, row.operation): row for row in record.rows})
            at_ns = STARTED + round(at_s * SECOND)
            self.lines.append(encode(Line(seq=self.next_seq, at_ns=at_ns, record=record)))

    def beat(self, at_s: float, **changes: Any) -> None:
        self.heartbeat = replace(self.heartbeat, **changes)
        self.add(self.heartbeat, at_s=at_s)

    def end(self, at_s: float = 30) -> None:
        self.add(
            Trailer(
                ended_ns=STARTED + round(at_s * SECOND),
                reason="duration",
                heartbeat=self.heartbeat,
                totals=tuple(self._totals.values()),
            ),
            at_s=at_s,
        )

    def fold(self) -> Fold:
        return folded(self.lines)


def folded(lines: Iterable[bytes]) -> Fold:
    fold = Fold()
    for line in lines:
        fold.feed(line)
    return fold


def scope(index: int = 0, container_id: str = CONTAINER_ID) -> Scope:
    return Scope(
        index=index, cgroup_id=4711 + index, cgroup=f"/kubepods/pod-uid/{container_id}", container_id=container_id
    )


def process_end(
    comm: str, *, pid: int, at_s: float, code: int = 0, signal: int = 0, scope_index: int = 0, name: str = ""
) -> Event:
    """A process that began before the trace and ended so many seconds after its start."""
    ended_ns = STARTED + round(at_s * SECOND)
    return Event(
        scope=scope_index, operation="processes.exit", pid=pid, node_pid=40_000 + pid, comm=comm, start_ns=SECOND,
        duration_ns=ended_ns - SECOND, errno=0, signal=signal, result=code, slow=False, name=name, address="", port=0,
    )  # fmt: skip


def probe(name: str, topic: str, *, attached: bool = True, required: bool = True) -> Probe:
    return Probe(
        name=name,
        topic=topic,
        attached=attached,
        required=required,
        costs="" if attached else "retransmits are not counted",
        reason="" if attached else "no such tracepoint on this kernel",
    )


def keyed_records() -> tuple[Record, ...]:
    """What the shop's processes used: files, targets, and each other."""
    files = (
        ("/var/lib/shop/orders.db", 1_500, 4_000_000, 30, 45),
        ("/var/lib/shop/orders.db-wal", 1_000, 4_000_000, 0, 40),
        ("/usr/share/zoneinfo/Europe/Berlin", 500, 700_000, 0, 200),
    )
    targets = (("10.96.12.7", 5432, 1_800, 0, 1_800), ("10.96.99.1", 6379, 201, 201, 0), ("fd00::17", 8080, 8, 8, 0))
    return (
        Files(
            rows=tuple(
                FileRow(
                    scope=0, key=key, path=path, operations=count, bytes=size, slow=slow, total_ns=count * 9_000,
                    opened=opened,
                )
                for key, (path, count, size, slow, opened) in enumerate(files)
            )
        ),
        FailedOpens(rows=(FailedOpenRow(scope=0, key=1, path="/etc/shop/local.conf", failed=11),)),
        Targets(
            rows=tuple(
                TargetRow(
                    scope=0, address=address, port=port, attempts=count, failed=failed, established=established,
                    handshake_ns=established * 1_100_000, max_ns=2_009_000,
                )
                for address, port, count, failed, established in targets
            )
        ),
        Processes(
            rows=(
                ProcessRow(scope=0, pid=1, node_pid=40_001, start_ns=5, comm="shop", events=15_000, alive=True),
                ProcessRow(scope=0, pid=12, node_pid=40_012, start_ns=6, comm="worker", events=2_000, alive=True),
                ProcessRow(scope=0, pid=31, node_pid=40_400, start_ns=7, comm="sh", events=0, alive=False),
            )
        ),
        Exits(
            rows=(
                ExitRow(scope=0, comm="sh", code=0, signal=0, count=2),
                ExitRow(scope=0, comm="sh", code=0, signal=9, count=1),
            )
        ),
    )  # fmt: skip


def cpu_records() -> tuple[Record, ...]:
    """Two processes that ran, in a container whose CPU limit held them back."""
    processes = ((1, 40_001, 5, "shop", 12 * SECOND, 900, 1_188), (12, 40_012, 6, "worker", 2 * SECOND, 100, 198))
    return (
        CpuProcesses(
            rows=tuple(
                CpuProcessRow(
                    scope=0, pid=pid, node_pid=node_pid, start_ns=start_ns, comm=comm, on_cpu_ns=on_cpu_ns,
                    switches=switches, samples=samples,
                )
                for pid, node_pid, start_ns, comm, on_cpu_ns, switches, samples in processes
            )
        ),
        Throttling(rows=(ThrottlingRow(scope=0, periods=300, throttled=21, total_ns=1_700_000_000),)),
    )  # fmt: skip


def dns_records() -> tuple[Record, ...]:
    """Two names of which one does not exist, asked of one server of which a fifth time it was not heard."""
    names = (("db.shop.svc.cluster.local", 4, 3, 0, 0, 1), ("db.shop.svc.cluster.local.shop.svc", 1, 1, 0, 1, 0))
    _, durations = timed("dns.lookup", [1_000_000, 2_000_000, 3_000_000, 4_000_000])
    return (
        DnsNames(
            rows=tuple(
                DnsNameRow(
                    scope=0, key=key, name=name, lookups=lookups, answers=answers, errors=errors, nxdomain=nxdomain,
                    timeouts=timeouts, total_ns=answers * 2_500_000, max_ns=4_000_000,
                )
                for key, (name, lookups, answers, errors, nxdomain, timeouts) in enumerate(names)
            )
        ),
        DnsTypes(rows=(DnsTypeRow(scope=0, query_type=1, count=3), DnsTypeRow(scope=0, query_type=28, count=2))),
        DnsCodes(rows=(DnsCodeRow(scope=0, code=0, count=3), DnsCodeRow(scope=0, code=3, count=1))),
        Resolvers(
            rows=(
                ResolverRow(
                    scope=0, address="10.96.0.10", port=53, lookups=5, answers=4, timeouts=1, sum_ns=10_000_000,
                    max_ns=4_000_000, buckets=durations.buckets,
                ),
            )
        ),
        AddressNames(rows=(AddressNameRow(scope=0, address="10.96.12.7", name="db.shop.svc.cluster.local"),)),
    )  # fmt: skip


def cost(wall_s: float = 30, **run_ns: int) -> Cost:
    """What programs took by tracepoint, a microsecond a run, on two CPUs; measured an eleventh of the time."""
    rows = tuple(
        ProgramCostRow(program=f"raw_tracepoint:{name}", runs=ns // 1_000, run_ns=ns, misses=0)
        for name, ns in run_ns.items()
    )
    wall_ns = round(wall_s * SECOND)
    return Cost(wall_ns=wall_ns, measured_ns=wall_ns // 11, cpus=2, tracer_ns=300_000_000, rows=rows)


TRANSFERS_SHED = Shed(
    shed_ns=STARTED + 12 * SECOND,
    probes=("raw_tracepoint:sys_exit", "raw_tracepoint:sys_enter"),
    topics=("tcp", "udp", "dns", "files", "descriptors"),
    operations=(
        "files.read",
        "files.write",
        "tcp.send",
        "tcp.receive",
        "tcp.rtt",
        "udp.send",
        "udp.receive",
        "dns.lookup",
    ),
    lacks="reads, writes, sends and receives are not counted",
    overhead_ppm=142_000,
    limit_ppm=50_000,
    cost_ppm=138_000,
)
CPU_SHED = Shed(
    shed_ns=STARTED + 20 * SECOND,
    probes=("raw_tracepoint:sched_switch", "raw_tracepoint:sched_wakeup", "perf_event:cpu_clock"),
    topics=("cpu",),
    operations=("cpu.switch", "cpu.run", "cpu.block"),
    lacks="switches, waits and the time on a CPU are not counted",
    overhead_ppm=61_000,
    limit_ppm=50_000,
    cost_ppm=40_000,
)
LOSSES = (LostRow(source="events ring buffer", topic="files", count=17),)
