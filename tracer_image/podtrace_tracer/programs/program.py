"""The text of the BPF programs for one trace: which files, with which constants. Pure."""

from __future__ import annotations

import mmap
import secrets
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from kubectl_podtrace.wire import histogram
from kubectl_podtrace.wire.request import TraceRequest
from kubectl_podtrace.wire.topics import (
    ABORTED,
    DNS_ERROR_CODES,
    DNS_NXDOMAIN,
    DNS_TIMEOUT_NS,
    EVERY_TOPIC,
    LONG_WAIT_NS,
    OPERATIONS,
    RESTS_ON,
    TCP_STATES,
)
from podtrace_tracer.collectors import base, cpu, io_uring, queries
from podtrace_tracer.collectors.model import Collector, ProbeSpec
from podtrace_tracer.collectors.registry import collectors_of
from podtrace_tracer.kernel import syscall_numbers, syscalls, waits
from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.programs import kernel_functions

_TRACER: Final = Path(__file__).parents[1]

MAX_SCOPES: Final = 64
NO_THRESHOLD: Final = 2**64 - 1
RING_BYTES: Final = 4 * 1024 * 1024
EVENT_RANKS: Final = 3
"""Budgets of single events for each operation: those that went well, the failed or slow, the ends of containers."""
_HASH_SEED: Final = secrets.randbits(64)
"""Names, and stacks, are told apart by a hash; nobody outside can make two with the same one."""

TABLE_SIZES: Final = {
    "processes": 16_384,
    "files": 32_768,
    "failed_opens": 4_096,
    "targets": 4_096,
    "dns_queries": 32_768,
    "dns_names": 4_096,
    "dns_types": 1_024,
    "resolvers": 256,
    "exits": 1_024,
    "errors": 4_096,
    "sockets": 65_536,
    "members": 65_536,
    "pending_closes": 4_096,
    "suspects": 128,
    "openers": 16_384,
    "wrappers": 1_024,
    "cpu_processes": 16_384,
    "cpu_samples": 8_192,
    "sample_stacks": 2_048,
    "long_waits": 8_192,
    "stacks": 8_192,
    "stack_counts": 4_096,
    "lock_threads": 16_384,
    "lock_queues": 16_384,
    "faults": 16_384,
    "queries": 1_024,
    "query_calls": 1_024,
    "query_prepared": 8_192,
    "query_waits": 8_192,
}


class Lost(NamedTuple):
    """Something that the programs cannot keep: its name in C, the topic whose numbers it touches, and what it is."""

    name: str
    topic: str
    text: str


LOST: Final[tuple[Lost, ...]] = (
    Lost("EVENTS", EVERY_TOPIC, "events: the ring buffer was full"),
    Lost("PATHS", "files", "path look-ups: the ring buffer was full; tried again at the next operation"),
    Lost("ERRORS", EVERY_TOPIC, "error numbers: the table was full"),
    Lost("SOCKETS", "connections", "sockets: the table was full"),
    Lost("MEMBERS", "processes", "processes that could not be followed: the table was full"),
    Lost("PROCESSES", "processes", "operations of processes that found no place in the table"),
    Lost("FILES", "files", "operations on files that found no place in the table"),
    Lost("FAILED_OPENS", "files", "failed opens that found no place in the table"),
    Lost("TARGETS", "connections", "connections to targets that found no place in the table"),
    Lost("DNS_QUERIES", "dns", "lookups that found no place in the table: whether they were answered is not known"),
    Lost("DNS_MESSAGES", "dns", "DNS messages that could not be read"),
    Lost("DNS_PAYLOADS", "dns", "names and answers of lookups: the ring buffer was full; tried again at the next one"),
    Lost("DNS_NAMES", "dns", "lookups whose name found no place in the table"),
    Lost("DNS_TYPES", "dns", "lookups whose type found no place in the table"),
    Lost("RESOLVERS", "dns", "lookups whose server found no place in the table"),
    Lost("EXITS", "processes", "exits that found no place in the table"),
    Lost(
        "DESCRIPTORS",
        "descriptors",
        "descriptors of unknown kind: they had gone before they could be looked at",
    ),
    Lost(
        "TABLES",
        "descriptors",
        "descriptor tables: too large to be looked through, or no place to be kept",
    ),
    Lost(
        "OPENERS",
        "descriptors",
        "descriptors of suspected leaks: no place to note what opened them",
    ),
    Lost("CPU_PROCESSES", "cpu", "switches and runs of processes that found no place in the table"),
    Lost("LONG_WAITS", "cpu", "waits off the CPU that found no place in the table, so that they have no stack"),
    Lost("CPU_WAITS", "cpu", "waits off the CPU: no place to remember their beginning"),
    Lost("STACKS", EVERY_TOPIC, "stacks that found no place in the table"),
    Lost("STACK_COUNTS", EVERY_TOPIC, "operations above their threshold whose stack found no place in the table"),
    Lost("IMAGES", EVERY_TOPIC, "memory maps to be read: the ring buffer was full; tried again at the next stack"),
    Lost("LOCK_THREADS", "locks", "waits for locks of threads that found no place in the table"),
    Lost("FAULTS", "memory", "page faults of processes that found no place in the table"),
    Lost("QUERIES", "queries", "statements that found no place in the table"),
    Lost(
        "QUERY_CALLS", "queries", "calls of client libraries: no place to remember them; their statements do not count"
    ),
    Lost("QUERY_PREPARED", "queries", "prepared statements whose text found no place in the table"),
    Lost("QUERY_TEXTS", "queries", "texts of statements: the ring buffer was full; tried again at the next one"),
    Lost("QUERY_WAITS", "queries", "statements that were sent: no place to remember them; they do not count"),
    Lost("32BIT", EVERY_TOPIC, "system calls of 32-bit programs: their numbers mean other calls"),
)
"""What `lose()` counts."""

LATE: Final = (
    "SCOPE_ROOT_ID", "SCOPE_LEVEL", "TRACER_PID_NAMESPACE", "EVENTS_PER_S", "FS_THRESHOLD_NS", "RTT_THRESHOLD_NS",
    "DNS_HASH_SEED", "STACK_HASH_SEED", "QUERY_HASH_SEED", "QUERY_KIND", "SOCKET_COPY",
)  # fmt: skip
"""Constants that differ from one trace to the next: they are put into compiled code, so that it can be used again."""
_LATE_MARK: Final = 0x506F_6454_7261_0000

TAILS: Final = (
    "sys_exit", "register", "messages_exit", "multiple_exit", "other_exit", "paths",
    "descriptors_exit", "received", "table", "table_of_start", "descriptor_wait", "dns", "stacks", "openers", "callers",
    "lock_wait", "lock_came", "lock_wake", "waits",
)  # fmt: skip
"""Programs that are called at the end of another one, in the order of their place in the map `tails`."""

RAW_TAILS: Final = ("table_of_start", "descriptor_wait", "lock_wait", "lock_came", "lock_wake")
"""Those that follow programs of raw tracepoints: in the map `raw_tails` where system calls come by trace events."""

# Timed operations first: the histograms' table has a row for these only.
ORDERED_OPERATIONS: Final = tuple(sorted(OPERATIONS, key=lambda operation: not operation.timed))
TIMED: Final = sum(operation.timed for operation in OPERATIONS)


@dataclass(frozen=True, kw_only=True)
class ScopeMatch:
    """How the programs recognise the target. `level` is unknown (None) below a cgroup namespace."""

    mode: str
    root_id: int = 0
    level: int | None = None
    per_child: bool = False
    subsystem: int | None = None
    pid_namespace: int = 0


MODES: Final = {"helper": 1, "walk": 2, "processes": 3}


def probes_of(topics: tuple[str, ...]) -> dict[str, tuple[ProbeSpec, str]]:
    """Tracepoint -> (probe, topic that it touches), in the order of attaching: system calls come last.

    What touches several topics counts as touching all: there is no way to name some.
    """
    collectors = collectors_of(topics)
    users = Counter(
        probe.tracepoint for each in collectors if RESTS_ON.get(each.topic) not in topics for probe in each.probes
    )
    found = {
        probe.tracepoint: (probe, each.topic if users[probe.tracepoint] <= 1 else EVERY_TOPIC)
        for each in reversed(collectors)
        for probe in each.probes
    }
    probes = (*base.PROBES, *(base.SYSTEM_CALL_PROBES if any(each.syscalls for each in collectors) else ()))
    own = {probe.tracepoint: (probe, EVERY_TOPIC) for probe in probes}
    return {name: found[name] for name in found if name not in own} | own


def wanted_structs(topics: tuple[str, ...], machine: str) -> dict[str, tuple[str, ...]]:
    """The kernel's structs and fields that the programs of these topics read."""
    wanted: dict[str, tuple[str, ...]] = {**base.STRUCTS, "pt_regs": base.REGISTERS[machine]}
    for collector in collectors_of(topics):
        for struct, fields in collector.structs.items():
            wanted[struct] = tuple(dict.fromkeys((*wanted.get(struct, ()), *fields)))
    return wanted


def source_text(topics: tuple[str, ...]) -> str:
    """All C files of these topics in one text (bcc rewrites map methods in its main text only)."""
    collectors = collectors_of(topics)
    names = [*base.HEADERS, *(name for collector in collectors for name in collector.sources)]
    last = base.SYSTEM_CALL_SOURCES if any(collector.syscalls for collector in collectors) else _lonely_sources(names)
    ordered = dict.fromkeys([*sorted(names, key=_is_socket_life), *base.BOOK_SOURCES, *last])
    return "\n".join(f'#line 1 "{name}"\n{(_TRACER / name).read_text()}' for name in ordered)


def _lonely_sources(names: Collection[str]) -> tuple[str, ...]:
    """What takes the place of the programs of system calls where none is counted."""
    return (cpu.ALONE,) if set(cpu.COLLECTOR.sources) <= set(names) else ()


def _is_socket_life(name: str) -> bool:
    """sockets.bpf.c calls the functions of tcp and connections, so it stands behind both."""
    return name == "collectors/sockets.bpf.c"


def defines(
    request: TraceRequest,
    scope: ScopeMatch,
    btf: Btf,
    *,
    functions: Collection[str] = (),
    by_events: bool = False,
    task_registers: bool = False,
) -> dict[str, int]:
    """The constants of the C text. `functions`: those of the kernel's own that the programs are to call.

    `by_events`: `base.BY_EVENTS` come by trace events, not by raw ones. `task_registers`: bpf_task_pt_regs is there.
    """
    values = {
        "MAX_SCOPES": MAX_SCOPES,
        "OPERATIONS": len(OPERATIONS),
        "TIMED_OPERATIONS": TIMED,
        "HISTOGRAM_BUCKETS": histogram.BUCKETS,
        "HISTOGRAM_SUB_BITS": histogram.SUB_BITS,
        "HISTOGRAM_FIRST_EXPONENT": histogram.FIRST_EXPONENT,
        "HISTOGRAM_LAST_EXPONENT": histogram.LAST_EXPONENT,
        "LOST_COUNT": len(LOST),
        "SYSCALL_NUMBERS": syscall_numbers.END,
        "CALL_SLOTS": 65_536,
        "OFF_CPU_PLACES": 16_384,
        "LONG_WAIT_NS": LONG_WAIT_NS,
        "THREAD_BYTES": max(16_384, mmap.PAGESIZE),
        "MAX_MESSAGES": 1024,
        "RING_PAGES": RING_BYTES // mmap.PAGESIZE,
        "EVENT_RANKS": EVENT_RANKS,
        "EVENTS_PER_S": request.events_per_s,
        "FS_THRESHOLD_NS": request.fs_threshold_ns,
        "RTT_THRESHOLD_NS": request.rtt_threshold_ns,
        "NO_THRESHOLD": NO_THRESHOLD,
        "ERROR_ABORTED": ABORTED,
        "TCP_STATES": len(TCP_STATES),
        "OP_TCP_STATE_FIRST": operation_index("tcp.state_established"),
        "SOCKET_COPY": 0,
    }
    values |= {f"MAX_{table.upper()}": size for table, size in TABLE_SIZES.items()}
    values |= _names_defines() | _class_defines()
    values |= {f"TOPIC_{topic.upper()}": 1 for topic in request.topics}
    values |= _kernel_defines(request.topics, btf) | queries.defines()
    if task_registers:
        values["TASK_REGISTERS"] = 1
    if any(io_uring.SOURCE in collector.sources for collector in collectors_of(request.topics)):
        values |= io_uring.defines(btf)
    if by_events:
        values["CALLS_BY_EVENTS"] = 1
    return values | kernel_functions.defines(functions) | _seeds_and_dns_defines() | _scope_defines(scope)


def _names_defines() -> dict[str, int]:
    """The places of what has a name: programs behind programs, losses, operations."""
    values = {f"TAIL_{name.upper()}": index for index, name in enumerate(TAILS)} | {"TAILS": len(TAILS)}
    values |= {f"LOST_{lost.name}": number for number, lost in enumerate(LOST)}
    return values | {f"OP_{op.topic.upper()}_{op.name.upper()}": index for index, op in enumerate(ORDERED_OPERATIONS)}


def _class_defines() -> dict[str, int]:
    """The classes of system calls and of waits, and where in their order the C text divides them."""
    values = {f"SHAPE_{name}": syscalls.shape_number(name) for name in syscalls.SHAPES}
    values |= {f"CLASS_{name}": syscalls.class_number(name) for name in syscalls.CLASSES}
    values |= {f"WAIT_{name}": waits.class_number(name) for name in waits.CLASSES}
    values["WAIT_FIRST_ON_SETS"] = waits.class_number(waits.FIRST_ON_SETS)
    values["CLASS_FIRST_ON_SOCKETS"] = syscalls.class_number(syscalls.FIRST_ON_SOCKETS)
    values["CLASS_LAST_ON_SOCKETS"] = syscalls.class_number(syscalls.LAST_ON_SOCKETS)
    values["CLASS_LAST_PLAIN"] = syscalls.class_number(syscalls.LAST_PLAIN)
    values["CLASS_LAST_TRANSFER"] = syscalls.class_number(syscalls.LAST_TRANSFER)
    values["CLASS_DESCRIPTORS_FROM"] = syscalls.class_number(syscalls.FIRST_OF_DESCRIPTORS)
    values["CLASS_NAMES_FROM"] = syscalls.class_number(syscalls.FIRST_WITHOUT_DESCRIPTOR)
    return values


_KNOWN_ARGUMENTS: Final = {
    "tcp_retransmit_skb": (("sk", "skb"), "RETRANSMIT_HAS_RESULT"),
    "sched_process_exit": (("task",), "EXIT_SAYS_LAST"),
    "mark_victim": (("pid",), "VICTIM_IS_TASK"),
    "sched_switch": (("preempt", "prev", "next"), "SWITCH_SAYS_STATE"),
}
"""Tracepoint -> the arguments that every kernel's has, and what the C text is told where there is another one."""


def _kernel_defines(topics: tuple[str, ...], btf: Btf) -> dict[str, int]:
    """Which tracepoints the kernel has, and which of them say more than they used to."""
    values = {probe.define: 1 for probe, _ in probes_of(topics).values() if btf.raw_tracepoint(probe.tracepoint)}
    for tracepoint, (arguments, name) in _KNOWN_ARGUMENTS.items():
        if len(btf.raw_tracepoint(tracepoint) or ()) > len(arguments):
            values[name] = 1
    return values


def _seeds_and_dns_defines() -> dict[str, int]:
    return {
        "DNS_TIMEOUT_NS": DNS_TIMEOUT_NS,
        "DNS_NXDOMAIN": DNS_NXDOMAIN,
        "DNS_ERROR_CODES": sum(1 << code for code in DNS_ERROR_CODES),
        "DNS_HASH_SEED": _HASH_SEED,
        "STACK_HASH_SEED": _HASH_SEED,
        "QUERY_HASH_SEED": _HASH_SEED,
    }


def _scope_defines(scope: ScopeMatch) -> dict[str, int]:
    values = {f"SCOPE_{name.upper()}": number for name, number in MODES.items()}
    values |= {
        "SCOPE_MODE": MODES[scope.mode],
        "SCOPE_ROOT_ID": scope.root_id,
        "SCOPE_PER_CHILD": int(scope.per_child),
        "SCOPE_HIERARCHY_IS_V2": int(scope.mode != "processes" and scope.subsystem is None),
        "TRACER_PID_NAMESPACE": scope.pid_namespace,
    }
    if scope.level is not None:
        values["SCOPE_LEVEL"] = scope.level
    if scope.subsystem is not None:
        values["SCOPE_SUBSYSTEM"] = scope.subsystem
    return values


def compiler_flags(values: dict[str, int]) -> list[str]:
    """`-D` for each constant; those beyond a signed int as unsigned long long, those of one trace as placeholders."""
    marks = {name: f"LATE_CONSTANT({_LATE_MARK + number}ULL)" for number, name in enumerate(LATE) if name in values}
    plain = {name: f"{value}{'ULL' if value >= 2**31 else ''}" for name, value in values.items()}
    return [f"-D{name}={text}" for name, text in (plain | marks).items()]


def late_constants(values: dict[str, int]) -> dict[int, int]:
    """What the placeholders of `compiler_flags` stand for."""
    return {_LATE_MARK + number: values[name] for number, name in enumerate(LATE) if name in values}


def copies_of(topics: tuple[str, ...]) -> dict[str, tuple[dict[int, int], ...]]:
    """Tracepoint -> the constants of each copy of its program, for probes that have two."""
    copies = tuple({_LATE_MARK + LATE.index("SOCKET_COPY"): number} for number in (0, 1))
    return {name: copies for name, (probe, _) in probes_of(topics).items() if probe.has_copy}


def user_probe_constants(kind: int) -> dict[int, int]:
    """The placeholder of a user probe's kind, as `late_constants`; 0: the program asks the kernel where it hangs."""
    return {_LATE_MARK + LATE.index("QUERY_KIND"): kind}


def operation_index(name: str) -> int:
    """The index of an operation in the kernel's tables."""
    return next(index for index, operation in enumerate(ORDERED_OPERATIONS) if operation.full_name == name)


def syscalls_of(collectors: tuple[Collector, ...], machine: str) -> dict[int, int]:
    """System call number -> class, for what these collectors need."""
    names: frozenset[str] = frozenset().union(*(collector.syscalls for collector in collectors))
    return syscalls.class_of_numbers(names, machine)
