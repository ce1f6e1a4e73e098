"""The readable section of the file system."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_podtrace import units
from kubectl_podtrace.analysis.files import Files, OpenedFile, TopFile
from kubectl_podtrace.analysis.selection import OTHER, Op, SlowOp
from kubectl_podtrace.report.document import Block, Facts, Name, Row, Section, Table, left, right
from kubectl_podtrace.report.sections.cells import NONE, latency_table, listing, number_or_dash, tally

TITLE = "File system"


def files(section: Files) -> Section:
    """Operations by kind, latencies, bandwidth, slow operations and the busiest files."""
    kinds: tuple[tuple[str, Op], ...] = (
        ("read", section.read),
        ("write", section.write),
        ("fsync", section.fsync),
        ("open", section.open),
        ("unlink", section.unlink),
        ("rename", section.rename),
    )
    seen = [(name, operation) for name, operation in kinds if operation.count or operation.interrupted]
    if not seen:
        return Section(title=TITLE, blocks=(), empty="no operation on regular files")
    operations = Table(
        columns=(
            left("operation"),
            *right("count", "rate", "bytes", "errors", f"slow (> {units.threshold(section.slow_threshold_ns)})"),
        ),
        rows=tuple(_row(name, operation) for name, operation in seen),
    )
    blocks: list[Block] = [operations]
    blocks.extend(latency_table([(name, operation.latency) for name, operation in seen]))
    blocks.append(_facts(section, seen))
    if section.top_files:
        blocks.append(_top_files(section.top_files))
    return Section(title=TITLE, blocks=tuple(blocks))


def opened_files(entries: tuple[OpenedFile, ...]) -> Table:
    """The most opened paths."""
    return listing((*right("opens", "failed"), left("path")), entries, "path", _opened_row, _opened_together)


def _opened_row(entry: OpenedFile) -> Row:
    return (units.count(entry.count), number_or_dash(entry.failed), Name(entry.path))


def _opened_together(rest: Sequence[OpenedFile]) -> Row:
    count, failed = sum(entry.count for entry in rest), sum(entry.failed for entry in rest)
    return (units.count(count), number_or_dash(failed), Name(OTHER))


def _row(name: str, operation: Op) -> tuple[str, ...]:
    carries_bytes = name in ("read", "write")
    return (
        name,
        units.count(operation.count),
        units.rate(operation.per_s),
        units.size(operation.bytes) if carries_bytes else NONE,
        number_or_dash(operation.failed),
        number_or_dash(operation.slow) if isinstance(operation, SlowOp) else NONE,
    )


def _facts(section: Files, seen: list[tuple[str, Op]]) -> Facts:
    size = section.read.bytes + section.write.bytes
    operations = section.read.count + section.write.count
    average = f", {units.size(size / operations)} an operation" if operations else ""
    pairs = [("bandwidth", f"{units.size(size)}{average}, {units.size_rate(section.throughput_bytes_per_s)}")]
    pairs.extend((f"{name} errors", tally(operation.errors)) for name, operation in seen if operation.errors)
    return Facts(pairs=tuple(pairs))


def _top_files(entries: tuple[TopFile, ...]) -> Table:
    return listing((*right("operations", "bytes", "slow"), left("file")), entries, "path", _file_row, _files_together)


def _file_row(entry: TopFile) -> Row:
    return (units.count(entry.count), units.size(entry.bytes), number_or_dash(entry.slow), Name(entry.path))


def _files_together(rest: Sequence[TopFile]) -> Row:
    return (
        units.count(sum(entry.count for entry in rest)),
        units.size(sum(entry.bytes for entry in rest)),
        number_or_dash(sum(entry.slow for entry in rest)),
        Name(OTHER),
    )
