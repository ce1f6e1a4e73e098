"""Metrics of files, CPU, locks and database statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kubectl_podtrace.analysis.cpu import BlockByCause, Cpu, CpuProcess, Throttled
from kubectl_podtrace.analysis.files import Files, TopFile
from kubectl_podtrace.analysis.locks import Locks
from kubectl_podtrace.analysis.queries import Query
from kubectl_podtrace.analysis.selection import OTHER, Op
from kubectl_podtrace.report.metrics.model import (
    SECONDS,
    UNKNOWN,
    Histogram,
    Kind,
    Metric,
    Of,
    Sample,
    Value,
    by_name,
    errors,
    label,
)
from kubectl_podtrace.report.metrics.processes import PROCESS, process_labels

_FILES: Final = Of[Files](lambda report: report.files)
_CPU: Final = Of[Cpu](lambda report: report.cpu)
_THROTTLING: Final = Of[Throttled](lambda report: report.cpu.throttling if report.cpu else None)
_LOCKS: Final = Of[Locks](lambda report: report.locks)
_QUERIES: Final = Of[tuple[Query, ...]](lambda report: report.queries)
_TRANSFERS: Final = ("read", "write")
_SLOW: Final = (*_TRANSFERS, "fsync")
_OPERATIONS: Final = (*_SLOW, "open", "unlink", "rename")


def _operations(files: Files, names: tuple[str, ...], read: Callable[[Op], Value]) -> Iterator[Sample]:
    for name in names:
        yield Sample((name,), read(getattr(files, name)))


def _file_errors(files: Files) -> Iterator[Sample]:
    for name in _OPERATIONS:
        operation: Op = getattr(files, name)
        yield from by_name(operation.errors, name, rest=UNKNOWN)


def _slow(files: Files) -> Iterator[Sample]:
    yield Sample(("read",), files.read.slow)
    yield Sample(("write",), files.write.slow)
    yield Sample(("fsync",), files.fsync.slow)


def _top_files(files: Files, read: Callable[[TopFile], int]) -> Iterator[Sample]:
    for file in files.top_files:
        yield Sample((label(file.path),), read(file), is_rest=file.path == OTHER)


def _waits(causes: BlockByCause) -> Iterator[Sample]:
    for cause, dist in vars(causes).items():
        yield Sample((cause,), Histogram.of(dist))


def _processes(cpu: Cpu, read: Callable[[CpuProcess], int]) -> Iterator[Sample]:
    for process in cpu.processes:
        yield Sample(process_labels(process), read(process), is_rest=process.comm == OTHER and not process.pid)


def _queries(queries: tuple[Query, ...], read: Callable[[Query], int]) -> Iterator[Sample]:
    for query in queries:
        yield Sample((label(query.protocol), label(query.statement)), read(query), is_rest=query.statement == OTHER)


FILES: Final = (
    Metric(
        name="podtrace_files_operations_total",
        kind=Kind.COUNTER,
        help="Operations on regular files, failed ones too.",
        labels=("operation",),
        read=_FILES.samples(lambda files: _operations(files, _OPERATIONS, lambda op: op.count)),
    ),
    Metric(
        name="podtrace_files_failures_total",
        kind=Kind.COUNTER,
        help="Operations on files that failed.",
        labels=("operation",),
        read=_FILES.samples(lambda files: _operations(files, _OPERATIONS, lambda op: op.failed)),
    ),
    Metric(
        name="podtrace_files_bytes_total",
        kind=Kind.COUNTER,
        help="Bytes that were read from files and written to them.",
        labels=("operation",),
        read=_FILES.samples(lambda files: _operations(files, _TRANSFERS, lambda op: op.bytes)),
    ),
    errors(
        "podtrace_files_errors_total",
        "Operations on files that failed, by the name of the error.",
        _FILES.samples(_file_errors),
        labels=("operation",),
    ),
    Metric(
        name="podtrace_files_slow_total",
        kind=Kind.COUNTER,
        help="Operations on files that took longer than --fs-threshold.",
        labels=("operation",),
        read=_FILES.samples(_slow),
    ),
    Metric(
        name="podtrace_files_duration_seconds",
        kind=Kind.HISTOGRAM,
        help="How long operations on files took.",
        labels=("operation",),
        read=_FILES.samples(lambda files: _operations(files, _OPERATIONS, lambda op: Histogram.of(op.latency))),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_files_file_operations_total",
        kind=Kind.COUNTER,
        help="Reads, writes and fsyncs, by file.",
        labels=("path",),
        read=_FILES.samples(lambda files: _top_files(files, lambda file: file.count)),
        key=1,
    ),
    Metric(
        name="podtrace_files_file_bytes_total",
        kind=Kind.COUNTER,
        help="Bytes read and written, by file.",
        labels=("path",),
        read=_FILES.samples(lambda files: _top_files(files, lambda file: file.bytes)),
        key=1,
    ),
    Metric(
        name="podtrace_files_file_slow_total",
        kind=Kind.COUNTER,
        help="Reads, writes and fsyncs that took longer than --fs-threshold, by file.",
        labels=("path",),
        read=_FILES.samples(lambda files: _top_files(files, lambda file: file.slow)),
        key=1,
    ),
)
CPU: Final = (
    Metric(
        name="podtrace_cpu_seconds_total",
        kind=Kind.COUNTER,
        help="Time that threads ran on a CPU, all of them together.",
        read=_CPU.value(lambda cpu: cpu.on_cpu_ns),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_cpu_switches_total",
        kind=Kind.COUNTER,
        help="Context switches.",
        read=_CPU.value(lambda cpu: cpu.switches),
    ),
    Metric(
        name="podtrace_cpu_off_cpu_seconds",
        kind=Kind.HISTOGRAM,
        help="Times off the CPU, each from leaving it to running again.",
        read=_CPU.histogram(lambda cpu: cpu.block),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_cpu_wait_seconds",
        kind=Kind.HISTOGRAM,
        help=(
            "Times off the CPU by what they were spent on. The times add up to those off the CPU; a wait that a wake-up"
            " ended has its last part under run_queue, and counts there too."
        ),
        labels=("cause",),
        read=_CPU.samples(lambda cpu: _waits(cpu.block_by_cause)),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_cpu_process_seconds_total",
        kind=Kind.COUNTER,
        help="Time on a CPU, by process.",
        labels=PROCESS,
        read=_CPU.samples(lambda cpu: _processes(cpu, lambda process: process.on_cpu_ns)),
        per_unit=SECONDS,
        key=3,
    ),
    Metric(
        name="podtrace_cpu_process_switches_total",
        kind=Kind.COUNTER,
        help="Context switches, by process.",
        labels=PROCESS,
        read=_CPU.samples(lambda cpu: _processes(cpu, lambda process: process.switches)),
        key=3,
    ),
    Metric(
        name="podtrace_cpu_limit_periods_total",
        kind=Kind.COUNTER,
        help="Periods in which a CPU limit was enforced.",
        read=_THROTTLING.value(lambda throttling: throttling.periods),
    ),
    Metric(
        name="podtrace_cpu_throttled_periods_total",
        kind=Kind.COUNTER,
        help="Periods in which a CPU limit held threads back.",
        read=_THROTTLING.value(lambda throttling: throttling.throttled),
    ),
    Metric(
        name="podtrace_cpu_throttled_seconds_total",
        kind=Kind.COUNTER,
        help="For how long a CPU limit held threads back.",
        read=_THROTTLING.value(lambda throttling: throttling.total_ns),
        per_unit=SECONDS,
    ),
)
LOCKS: Final = (
    Metric(
        name="podtrace_locks_wait_seconds",
        kind=Kind.HISTOGRAM,
        help="Waits in futex calls: locks, conditions, semaphores, idle threads.",
        read=_LOCKS.histogram(lambda locks: locks.waits),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_locks_contended_wait_seconds",
        kind=Kind.HISTOGRAM,
        help="Those of the waits in futex calls that were in the way of a lock that another thread held.",
        read=_LOCKS.histogram(lambda locks: locks.contended),
        per_unit=SECONDS,
    ),
    Metric(
        name="podtrace_locks_timeouts_total",
        kind=Kind.COUNTER,
        help="Waits in futex calls that a time-out ended.",
        read=_LOCKS.value(lambda locks: locks.timeouts),
    ),
)
QUERIES: Final = (
    Metric(
        name="podtrace_queries_executions_total",
        kind=Kind.COUNTER,
        help="Executions of statements that were sent to databases, failed ones too.",
        labels=("protocol", "statement"),
        read=_QUERIES.samples(lambda queries: _queries(queries, lambda query: query.count)),
        key=1,
    ),
    Metric(
        name="podtrace_queries_errors_total",
        kind=Kind.COUNTER,
        help="Executions of statements that failed.",
        labels=("protocol", "statement"),
        read=_QUERIES.samples(lambda queries: _queries(queries, lambda query: query.errors)),
        key=1,
    ),
    Metric(
        name="podtrace_queries_seconds_total",
        kind=Kind.COUNTER,
        help="How long executions of statements took together; of those beyond the first hundred it is not known.",
        labels=("protocol", "statement"),
        read=_QUERIES.samples(lambda queries: _queries(queries, lambda query: query.latency.sum_ns)),
        per_unit=SECONDS,
        key=1,
    ),
)
