"""Metrics of processes, their lifetimes, memory and descriptors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from kubectl_podtrace.analysis.descriptors import DescriptorKind, Descriptors, FullTable
from kubectl_podtrace.analysis.errno_names import signal_name
from kubectl_podtrace.analysis.lifecycle import Lifecycle
from kubectl_podtrace.analysis.memory import ContainerMemory, Memory, MemoryProcess
from kubectl_podtrace.analysis.processes import Processes
from kubectl_podtrace.analysis.selection import OTHER
from kubectl_podtrace.report.metrics.model import (
    SECONDS,
    UNKNOWN,
    Kind,
    Labels,
    Metric,
    Of,
    Sample,
    by_name,
    errors,
    label,
)

PROCESS: Final = ("comm", "pid", "node_pid")
"""The labels of a process: its name, its number in its container and on the node."""
_PROCESSES: Final = Of[Processes](lambda report: report.processes)
_LIFECYCLE: Final = Of[Lifecycle](lambda report: report.lifecycle)
_MEMORY: Final = Of[Memory](lambda report: report.memory)
_DESCRIPTORS: Final = Of[Descriptors](lambda report: report.descriptors)


class Numbered(Protocol):
    """A process in one of the report's lists."""

    @property
    def pid(self) -> int:
        """Its number in its container."""

    @property
    def node_pid(self) -> int:
        """Its number on the node."""

    @property
    def comm(self) -> str:
        """Its name."""


def process_labels(process: Numbered) -> Labels:
    """The values of `PROCESS`; the rest of a list has no numbers."""
    numbers = (str(number) if number else "" for number in (process.pid, process.node_pid))
    return (label(process.comm), *numbers)


def _is_rest(process: Numbered) -> bool:
    return process.comm == OTHER and not process.pid


def _active(processes: Processes) -> Iterator[Sample]:
    for process in processes.top:
        yield Sample(process_labels(process), process.events, is_rest=_is_rest(process))


def _exits(processes: Processes) -> Iterator[Sample]:
    for end in processes.exits:
        is_rest = end.comm == OTHER
        how = ("", "") if is_rest else (str(end.code), signal_name(end.signal) if end.signal else "")
        yield Sample((label(end.comm), *how), end.count, is_rest=is_rest)


def _faults(memory: Memory, read: Callable[[MemoryProcess], int]) -> Iterator[Sample]:
    for process in memory.processes:
        yield Sample(process_labels(process), read(process), is_rest=_is_rest(process))


def _resident(memory: Memory) -> Iterator[Sample]:
    """Of those that live."""
    for process in memory.processes:
        if process.resident_bytes:
            yield Sample(process_labels(process), process.resident_bytes)


def _containers(memory: Memory, read: Callable[[ContainerMemory], int | None]) -> Iterator[Sample]:
    for container in memory.containers:
        value = read(container)
        if value is not None:
            yield Sample((label(container.container),), value)


def _kinds(section: Descriptors, read: Callable[[DescriptorKind], int | None]) -> Iterator[Sample]:
    """By kind; nothing where an older tracer knows none."""
    for name, kind in vars(section.by_kind).items() if section.by_kind else ():
        value = read(kind)
        if value is not None:
            yield Sample((name,), value)


def _tables(section: Descriptors, read: Callable[[FullTable], int]) -> Iterator[Sample]:
    for table in section.fullest:
        yield Sample(process_labels(table), read(table))


PROCESSES: Final = (
    Metric(
        name="podtrace_processes_active",
        kind=Kind.GAUGE,
        help="Processes that did anything that is counted, since the trace began.",
        read=_PROCESSES.value(lambda processes: processes.active),
    ),
    Metric(
        name="podtrace_processes_events_total",
        kind=Kind.COUNTER,
        help="Events, by the process whose they are.",
        labels=PROCESS,
        read=_PROCESSES.samples(_active),
        key=3,
    ),
    Metric(
        name="podtrace_processes_execs_total",
        kind=Kind.COUNTER,
        help="Programs that were started.",
        read=_PROCESSES.value(lambda processes: processes.exec),
    ),
    errors(
        "podtrace_processes_exec_errors_total",
        "Programs that could not be started, by the name of the error.",
        _PROCESSES.samples(lambda processes: by_name(processes.exec_errors, rest=UNKNOWN)),
    ),
    Metric(
        name="podtrace_processes_forks_total",
        kind=Kind.COUNTER,
        help="Processes and threads that were forked.",
        labels=("kind",),
        read=_PROCESSES.samples(
            lambda processes: (
                Sample(("process",), processes.fork_processes),
                Sample(("thread",), processes.fork_threads),
            )
        ),
    ),
    Metric(
        name="podtrace_processes_exits_total",
        kind=Kind.COUNTER,
        help="Processes that ended, by their exit code or the signal that ended them.",
        labels=("comm", "code", "signal"),
        read=_PROCESSES.samples(_exits),
        key=3,
    ),
)
LIFECYCLE: Final = (
    Metric(
        name="podtrace_lifecycle_failures_total",
        kind=Kind.COUNTER,
        help="Processes that ended badly: with a code that is no answer, or by a signal that is no request to end.",
        read=_LIFECYCLE.value(lambda lifecycle: lifecycle.failed),
    ),
    Metric(
        name="podtrace_lifecycle_lifetime_seconds",
        kind=Kind.HISTOGRAM,
        help="How long the processes had lived that ended.",
        read=_LIFECYCLE.histogram(lambda lifecycle: lifecycle.lifetimes),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_lifecycle_crash_loops",
        kind=Kind.GAUGE,
        help="Programs and containers that end badly again and again.",
        read=_LIFECYCLE.value(lambda lifecycle: len(lifecycle.crash_loops)),
    ),
)
MEMORY: Final = (
    Metric(
        name="podtrace_memory_faults_total",
        kind=Kind.COUNTER,
        help="Page faults; major ones had to wait for a disk.",
        labels=("kind",),
        read=_MEMORY.samples(
            lambda memory: (Sample(("minor",), memory.minor_faults), Sample(("major",), memory.major_faults))
        ),
    ),
    Metric(
        name="podtrace_memory_oom_kills_total",
        kind=Kind.COUNTER,
        help="Processes that the kernel killed for their memory.",
        read=_MEMORY.value(lambda memory: memory.oom_kills),
    ),
    Metric(
        name="podtrace_memory_process_major_faults_total",
        kind=Kind.COUNTER,
        help="Major page faults, by process.",
        labels=PROCESS,
        read=_MEMORY.samples(lambda memory: _faults(memory, lambda process: process.major_faults)),
        key=3,
    ),
    Metric(
        name="podtrace_memory_process_resident_bytes",
        kind=Kind.GAUGE,
        help="Resident memory of the processes that live, by process.",
        labels=PROCESS,
        read=_MEMORY.samples(_resident),
        key=3,
    ),
    Metric(
        name="podtrace_memory_limit_bytes",
        kind=Kind.GAUGE,
        help="The memory limit of a container that has one.",
        labels=("container",),
        read=_MEMORY.samples(lambda memory: _containers(memory, lambda each: each.limit_bytes)),
        key=1,
    ),
    Metric(
        name="podtrace_memory_usage_bytes",
        kind=Kind.GAUGE,
        help="The memory that a container uses.",
        labels=("container",),
        read=_MEMORY.samples(lambda memory: _containers(memory, lambda each: each.current_bytes)),
        key=1,
    ),
    Metric(
        name="podtrace_memory_peak_bytes",
        kind=Kind.GAUGE,
        help="The most memory that a container used during the trace.",
        labels=("container",),
        read=_MEMORY.samples(lambda memory: _containers(memory, lambda each: each.peak_bytes)),
        key=1,
    ),
    Metric(
        name="podtrace_memory_working_set_bytes",
        kind=Kind.GAUGE,
        help="A container's memory, less what the kernel takes back first.",
        labels=("container",),
        read=_MEMORY.samples(lambda memory: _containers(memory, lambda each: each.working_set_bytes)),
        key=1,
    ),
)
DESCRIPTORS: Final = (
    Metric(
        name="podtrace_descriptors_opened_total",
        kind=Kind.COUNTER,
        help="Descriptors that came to be.",
        read=_DESCRIPTORS.value(lambda section: section.opened),
    ),
    Metric(
        name="podtrace_descriptors_closed_total",
        kind=Kind.COUNTER,
        help="Descriptors that were closed.",
        read=_DESCRIPTORS.value(lambda section: section.closed),
    ),
    Metric(
        name="podtrace_descriptors_ended_with_process_total",
        kind=Kind.COUNTER,
        help="Descriptors that ended with their process.",
        read=_DESCRIPTORS.value(lambda section: section.ended_with_process),
    ),
    Metric(
        name="podtrace_descriptors_failed_opens_total",
        kind=Kind.COUNTER,
        help="Opens that failed.",
        read=_DESCRIPTORS.value(lambda section: section.failed_opens),
    ),
    Metric(
        name="podtrace_descriptors_kind_opened_total",
        kind=Kind.COUNTER,
        help="Descriptors that came to be, by kind.",
        labels=("kind",),
        read=_DESCRIPTORS.samples(lambda section: _kinds(section, lambda kind: kind.opened)),
    ),
    Metric(
        name="podtrace_descriptors_kind_closed_total",
        kind=Kind.COUNTER,
        help="Descriptors that were closed, by kind.",
        labels=("kind",),
        read=_DESCRIPTORS.samples(lambda section: _kinds(section, lambda kind: kind.closed)),
    ),
    Metric(
        name="podtrace_descriptors_kind_growth",
        kind=Kind.GAUGE,
        help="Descriptors that the living processes have open, less those that they had when the trace began, by kind.",
        labels=("kind",),
        read=_DESCRIPTORS.samples(lambda section: _kinds(section, lambda kind: kind.growth)),
    ),
    Metric(
        name="podtrace_descriptors_process_open",
        kind=Kind.GAUGE,
        help="Descriptors that a process has open, of those nearest to their limits.",
        labels=PROCESS,
        read=_DESCRIPTORS.samples(lambda section: _tables(section, lambda table: table.open)),
        key=3,
    ),
    Metric(
        name="podtrace_descriptors_process_limit",
        kind=Kind.GAUGE,
        help="How many descriptors a process may have open, of those nearest to that.",
        labels=PROCESS,
        read=_DESCRIPTORS.samples(lambda section: _tables(section, lambda table: table.limit)),
        key=3,
    ),
    Metric(
        name="podtrace_descriptors_leaks",
        kind=Kind.GAUGE,
        help="Processes and kinds of descriptors of which there are more and more.",
        read=_DESCRIPTORS.value(lambda section: None if section.leaks is None else len(section.leaks)),
    ),
)
