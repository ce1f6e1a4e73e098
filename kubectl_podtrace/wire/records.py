"""Every record that can stand on a line of the stream, each defined once.

All counters are cumulative since the probes were attached; times are CLOCK_MONOTONIC of the node in nanoseconds;
`scope` is the index that a `Scope` record explains. A `*Row` travels as a JSON array in the order of its fields,
everything else by name. An empty string or 0 stands for "does not apply".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from kubectl_podtrace.wire.activity_records import Activity
from kubectl_podtrace.wire.connection_records import OneShots
from kubectl_podtrace.wire.cost_records import Cost, Shed
from kubectl_podtrace.wire.cpu_records import CpuProcesses, Throttling
from kubectl_podtrace.wire.descriptor_records import DescriptorOpeners, DescriptorTables
from kubectl_podtrace.wire.dns_records import AddressNames, DnsCodes, DnsNames, DnsTypes, Resolvers
from kubectl_podtrace.wire.fields import (
    Count,
    ErrorNumber,
    Index,
    Limit,
    Offset,
    OperationName,
    Pid,
    Port,
    Text,
    Topic,
    TopicOrAll,
)  # fmt: skip
from kubectl_podtrace.wire.file_records import FailedOpens, Files
from kubectl_podtrace.wire.lifecycle_records import Lifetimes
from kubectl_podtrace.wire.lock_records import Locks
from kubectl_podtrace.wire.memory_records import CgroupMemory, MemoryProcesses
from kubectl_podtrace.wire.query_records import ClientLibraries, Queries
from kubectl_podtrace.wire.search_records import DnsEmpty, ResolverSettings
from kubectl_podtrace.wire.stack_records import CpuFunctions, CpuStacks, Frames, OffCpuStacks, Stacks


@dataclass(frozen=True, kw_only=True)
class Header:
    """What this stream is. First line, sent before anything is compiled, and repeated.

    `started_ns` is 0 until the last probe is attached. Wall-clock time = monotonic time + `realtime_offset_ns`.
    """

    wire_version: Count
    tracer_version: Text
    node: Text
    kernel: Text
    machine: Text
    bcc_version: Text
    boot_id: Text
    realtime_offset_ns: Offset
    topics: tuple[Topic, ...]
    fs_threshold_ns: Count
    rtt_threshold_ns: Count
    duration_ns: Count
    scope_mode: Text
    started_ns: Count


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A container (or, in local mode, the whole target) that has been seen: its index, cgroup and container id."""

    index: Index
    cgroup_id: Count
    cgroup: Text
    container_id: Text


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One attachment, made or not. `costs` says what its absence costs, `reason` why it is absent."""

    name: Text
    topic: TopicOrAll
    attached: bool
    required: bool
    costs: Text
    reason: Text


@dataclass(frozen=True, kw_only=True)
class TotalsRow:
    """The counters of one operation in one scope.

    `count` holds successes and errors; `would_block` and `interrupted` calls are not in it. `bytes` sums positive
    results. `timed` operations have a duration: `sum_ns` and `max_ns` are theirs, and the histogram adds up to it.
    `slow` ones took longer than the topic's threshold. `messages` is that of sendmmsg and recvmmsg.
    """

    scope: Index
    operation: OperationName
    count: Count
    errors: Count
    would_block: Count
    interrupted: Count
    bytes: Count
    messages: Count
    timed: Count
    slow: Count
    sum_ns: Count
    max_ns: Count
    max_bytes: Count


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Counters of operations; each second those that changed, all of them now and then and at the end."""

    rows: tuple[TotalsRow, ...]


@dataclass(frozen=True, kw_only=True)
class ErrorRow:
    """How often an operation ended with an error number (`topics.ABORTED` for attempts that their program closed)."""

    scope: Index
    operation: OperationName
    errno: ErrorNumber
    count: Count


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Errors by number, as `Totals`."""

    rows: tuple[ErrorRow, ...]


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """The latency histogram of one operation in one scope: bucket, count, bucket, count ... without the empty buckets.

    One that is too long for a line is split; each part holds other buckets, and a bucket's newest count holds.
    """

    scope: Index
    operation: OperationName
    buckets: tuple[Count, ...]


@dataclass(frozen=True, kw_only=True)
class TargetRow:
    """A remote address that the scope connected to; `handshake_ns` and `max_ns`: sum and longest of the established."""

    scope: Index
    address: Text
    port: Port
    attempts: Count
    failed: Count
    established: Count
    handshake_ns: Count
    max_ns: Count


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Connection targets, as `Files`."""

    rows: tuple[TargetRow, ...]


@dataclass(frozen=True, kw_only=True)
class ProcessRow:
    """A process: pid as in its own namespace, as on the node, start time, name, counted operations, still alive."""

    scope: Index
    pid: Pid
    node_pid: Pid
    start_ns: Count
    comm: Text
    events: Count
    alive: bool


@dataclass(frozen=True, kw_only=True)
class Processes:
    """Processes, as `Files`; one that ended travels once more."""

    rows: tuple[ProcessRow, ...]


@dataclass(frozen=True, kw_only=True)
class ExitRow:
    """How many processes of a name ended with an exit code, or by a signal (then `code` is 0)."""

    scope: Index
    comm: Text
    code: Annotated[int, Limit(high=255)]
    signal: Annotated[int, Limit(high=127)]
    count: Count


@dataclass(frozen=True, kw_only=True)
class Exits:
    """Ended processes by name and status."""

    rows: tuple[ExitRow, ...]


@dataclass(frozen=True, kw_only=True)
class ExistingRow:
    """Connections that were there before the probes: how many in a state to a remote address."""

    state: Text
    address: Text
    port: Port
    count: Count


@dataclass(frozen=True, kw_only=True)
class Existing:
    """Connections of the target at the start, by state and remote address. `total` counts those beyond the rows too."""

    total: Count
    rows: tuple[ExistingRow, ...]


@dataclass(frozen=True, kw_only=True)
class Event:
    """One operation as it occurred: structural (connect, exec ...), failed, or slow. Rate-limited; see `Heartbeat`.

    `name` is text such as a path or command; `result` a byte count, exit code or descriptor; failures have an `errno`.
    """

    scope: Index
    operation: OperationName
    pid: Pid
    node_pid: Pid
    comm: Text
    start_ns: Count
    duration_ns: Count
    errno: ErrorNumber
    signal: Annotated[int, Limit(high=127)]
    result: Offset
    slow: bool
    name: Text
    address: Text
    port: Port


@dataclass(frozen=True, kw_only=True)
class LostRow:
    """Something that was not kept: where it got lost, the topic that it touches, how often."""

    source: Text
    topic: TopicOrAll
    count: Count


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """How full a keyed table is. `unlisted`: operations whose key found no place; they are in the totals."""

    table: Text
    keys: Count
    capacity: Count
    unlisted: Count


@dataclass(frozen=True, kw_only=True)
class SuppressedRow:
    """Events that the rate limit kept back: they are counted in the totals and were not sent singly."""

    operation: OperationName
    count: Count


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """Each second: we are alive; what the kernel's side `lost`, what the tracer `dropped`; what tracing costs."""

    lost: tuple[LostRow, ...]
    dropped: tuple[LostRow, ...]
    suppressed: tuple[SuppressedRow, ...]
    tables: tuple[TableRow, ...]
    stream_bytes: Count
    cpu_ns: Count
    rss_bytes: Count


TRACER_FAILED: Final = "tracer-failed"
"""The slug of the notice with which a tracer says that it failed for a reason of its own; no trailer follows."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A remark for the person who reads the report. `slug` names it for programs."""

    slug: Text
    text: Text


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The tracer cannot trace: what, why, and what to do. The last record of its stream."""

    slug: Text
    text: Text
    hint: Text


@dataclass(frozen=True, kw_only=True)
class Trailer:
    """The end: when the probes were detached and why, and the totals again. A stream without it is truncated.

    `totals` has one row for each operation, its scopes added up (the largest of `max_*`) under scope 0.
    """

    ended_ns: Count
    reason: Text
    heartbeat: Heartbeat
    totals: tuple[TotalsRow, ...]


type_of_kind: Final = {
    "header": Header,
    "scope": Scope,
    "probe": Probe,
    "totals": Totals,
    "activity": Activity,
    "errors": Errors,
    "histogram": Histogram,
    "files": Files,
    "failed_opens": FailedOpens,
    "targets": Targets,
    "one_shots": OneShots,
    "processes": Processes,
    "exits": Exits,
    "lifetimes": Lifetimes,
    "dns_names": DnsNames,
    "dns_empty": DnsEmpty,
    "dns_types": DnsTypes,
    "dns_codes": DnsCodes,
    "resolvers": Resolvers,
    "address_names": AddressNames,
    "resolver_settings": ResolverSettings,
    "cpu_processes": CpuProcesses,
    "throttling": Throttling,
    "locks": Locks,
    "memory_processes": MemoryProcesses,
    "cgroup_memory": CgroupMemory,
    "descriptor_tables": DescriptorTables,
    "descriptor_openers": DescriptorOpeners,
    "frames": Frames,
    "stacks": Stacks,
    "cpu_functions": CpuFunctions,
    "cpu_stacks": CpuStacks,
    "off_cpu_stacks": OffCpuStacks,
    "queries": Queries,
    "client_libraries": ClientLibraries,
    "existing": Existing,
    "event": Event,
    "heartbeat": Heartbeat,
    "cost": Cost,
    "shed": Shed,
    "notice": Notice,
    "refusal": Refusal,
    "trailer": Trailer,
}

Record = (
    Header | Scope | Probe | Totals | Errors | Histogram | Files | FailedOpens | Targets | Processes | Exits
    | Lifetimes | Activity | DnsNames | DnsTypes | DnsCodes | Resolvers | AddressNames | CpuProcesses | Throttling
    | Locks | MemoryProcesses | CgroupMemory | DescriptorTables | Frames | Stacks | CpuFunctions | Queries
    | ClientLibraries | Existing | Event | Heartbeat | Cost | Shed | Notice | Refusal | Trailer
    | OneShots | DnsEmpty | ResolverSettings | DescriptorOpeners | CpuStacks | OffCpuStacks
)  # fmt: skip
