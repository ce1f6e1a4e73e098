"""Files: operations on regular files by kind, slow ones, and the files they were on."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_podtrace.analysis.partial import Partial
from kubectl_podtrace.analysis.selection import LISTED, OTHER, Op, Selection, SlowOp
from kubectl_podtrace.wire import file_records

_BY_FILE = ("read", "write", "fsync")
"""The kinds of operations that are counted by file, too."""


@dataclass(frozen=True, kw_only=True)
class TopFile:
    """A file by its path as the container sees it: reads, writes, fsyncs. `(other)` holds all that are not listed."""

    path: str
    count: int
    bytes: int
    slow: int


@dataclass(frozen=True, kw_only=True)
class OpenedFile:
    """A path that was opened or could not be: `count` holds both, `failed` the latter."""

    path: str
    count: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Files:
    """The section `files`."""

    read: SlowOp
    write: SlowOp
    fsync: SlowOp
    open: Op
    unlink: Op
    rename: Op
    slow_threshold_ns: int
    throughput_bytes_per_s: float
    top_files: tuple[TopFile, ...]
    top_opened: tuple[OpenedFile, ...]
    partial: tuple[Partial, ...]


def files(selection: Selection, *, slow_threshold_ns: int) -> Files:
    """The section `files` of the selected scopes."""
    return Files(
        read=_slow_operation(selection, "files.read"),
        write=_slow_operation(selection, "files.write"),
        fsync=_slow_operation(selection, "files.fsync"),
        open=selection.operation("files.open"),
        unlink=selection.operation("files.unlink"),
        rename=selection.operation("files.rename"),
        slow_threshold_ns=slow_threshold_ns,
        throughput_bytes_per_s=selection.while_counted("files.read", "files.write").per_s(
            selection.of("files.read").bytes + selection.of("files.write").bytes
        ),
        top_files=_top_files(selection),
        top_opened=_top_opened(selection),
        partial=selection.partial_of("files"),
    )


def _slow_operation(selection: Selection, name: str) -> SlowOp:
    operation = selection.operation(name)
    return SlowOp(
        count=operation.count,
        per_s=operation.per_s,
        bytes=operation.bytes,
        errors=operation.errors,
        would_block=operation.would_block,
        interrupted=operation.interrupted,
        latency=operation.latency,
        slow=selection.of(name).slow,
    )


def _top_files(selection: Selection) -> tuple[TopFile, ...]:
    sums: dict[str, list[int]] = {}
    for row in selection.rows(file_records.Files):
        if row.operations:
            sums.setdefault(row.path, [0, 0, 0])
            for position, number in enumerate((row.operations, row.bytes, row.slow)):
                sums[row.path][position] += number
    every = [TopFile(path=path, count=count, bytes=size, slow=slow) for path, (count, size, slow) in sums.items()]
    listed = sorted(every, key=lambda file: (-file.count, -file.bytes, file.path))[:LISTED]
    totals = [selection.of(f"files.{kind}") for kind in _BY_FILE]
    other = TopFile(
        path=OTHER,
        count=max(sum(counters.count for counters in totals) - sum(file.count for file in listed), 0),
        bytes=max(sum(counters.bytes for counters in totals) - sum(file.bytes for file in listed), 0),
        slow=max(sum(counters.slow for counters in totals) - sum(file.slow for file in listed), 0),
    )
    return (*listed, other) if other.count or other.bytes or other.slow else tuple(listed)


def _top_opened(selection: Selection) -> tuple[OpenedFile, ...]:
    sums: dict[str, list[int]] = {}
    for path, opened, failed in (
        *((row.path, row.opened, 0) for row in selection.rows(file_records.Files) if row.opened),
        *((row.path, 0, row.failed) for row in selection.rows(file_records.FailedOpens) if row.failed),
    ):
        sums.setdefault(path, [0, 0])
        sums[path][0] += opened + failed
        sums[path][1] += failed
    every = [OpenedFile(path=path, count=count, failed=failed) for path, (count, failed) in sums.items()]
    listed = sorted(every, key=lambda file: (-file.count, -file.failed, file.path))[:LISTED]
    opens = selection.of("files.open")
    other = OpenedFile(
        path=OTHER,
        count=max(opens.count - sum(file.count for file in listed), 0),
        failed=max(opens.errors - sum(file.failed for file in listed), 0),
    )
    return (*listed, other) if other.count or other.failed else tuple(listed)
