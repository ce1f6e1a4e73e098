"""What a tracer's whole stream says, folded by the plainest means: the last record of each key holds, scopes add up.

It shares nothing with the plugin's own fold, so that an error there cannot hide one of the tracer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import TypeVar

from kubectl_podtrace.wire import codec, file_records, records
from kubectl_podtrace.wire.descriptor_records import DescriptorTableRow, DescriptorTables
from kubectl_podtrace.wire.topics import TOPICS
from podtrace_tracer.collectors import base
from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.programs import kernel_functions, program

NOT_IN_KERNEL = "this kernel does not have it"
NOT_BY_V2 = "sockets know their container in the v2 cgroup hierarchy only, and the target is not found by it"
"""Why a probe may be absent; any other reason is a failure."""

MAY_BE_ABSENT = frozenset({NOT_IN_KERNEL, NOT_BY_V2})

SKIPPED = ": interrupted by itself"

RecordType = TypeVar("RecordType", bound=records.Record)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The counters of one operation that a load can know as well as the tracer."""

    count: int = 0
    errors: int = 0
    would_block: int = 0
    interrupted: int = 0
    bytes: int = 0
    messages: int = 0
    max_bytes: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            count=self.count + other.count,
            errors=self.errors + other.errors,
            would_block=self.would_block + other.would_block,
            interrupted=self.interrupted + other.interrupted,
            bytes=self.bytes + other.bytes,
            messages=self.messages + other.messages,
            max_bytes=max(self.max_bytes, other.max_bytes),
        )


@dataclass(frozen=True, kw_only=True)
class FileUse:
    """What was done with one path."""

    operations: int
    bytes: int
    opened: int


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """What became of the connection attempts to one target."""

    attempts: int
    failed: int
    established: int


@cache
def programs_are_preemptible() -> bool:
    """May this kernel preempt the programs of raw tracepoints, and skip others there meanwhile?"""
    return kernel_functions.are_preemptible(Btf.load(wanted=set(kernel_functions.NAMES)))


def _by_operation(rows: Iterable[records.TotalsRow]) -> dict[str, Counts]:
    found: dict[str, Counts] = {}
    for row in rows:
        own = Counts(**{field.name: getattr(row, field.name) for field in fields(Counts)})
        found[row.operation] = found.get(row.operation, Counts()) + own
    return found


class Stream:
    """All lines of one trace, from header to trailer."""

    def __init__(self, lines: Sequence[codec.Line | codec.UnknownKind | codec.Noise]) -> None:
        self.lines = [line for line in lines if isinstance(line, codec.Line)]
        self.strange = [line for line in lines if not isinstance(line, codec.Line)]

    def of(self, record_type: type[RecordType]) -> Iterator[RecordType]:
        """The records of one type, in their order."""
        return (line.record for line in self.lines if isinstance(line.record, record_type))

    @cached_property
    def trailer(self) -> records.Trailer:
        """The last record of a whole stream."""
        last = self.lines[-1].record
        assert isinstance(last, records.Trailer), f"the stream ends with {last}"
        return last

    @cached_property
    def started_ns(self) -> int:
        """When the last probe was attached."""
        return next(header.started_ns for header in self.of(records.Header) if header.started_ns > 0)

    @cached_property
    def totals(self) -> dict[tuple[int, str], records.TotalsRow]:
        """The last counters of each operation in each scope."""
        return {(row.scope, row.operation): row for record in self.of(records.Totals) for row in record.rows}

    def assert_whole(self) -> None:
        """No line is missing or foreign, no probe failed, nothing was lost, and the trailer repeats the last totals."""
        failed = [probe for probe in self.of(records.Probe) if not probe.attached and probe.reason not in MAY_BE_ABSENT]
        assert failed == []
        assert not self.strange, self.strange
        assert [line.seq for line in self.lines] == list(range(self.lines[0].seq, self.lines[0].seq + len(self.lines)))
        skipped = self.skipped_rows
        assert [row for row in self._missing if row not in skipped] == []
        assert _by_operation(self.trailer.totals) == _by_operation(self.totals.values())

    @cached_property
    def _missing(self) -> list[records.LostRow]:
        heartbeat = self.trailer.heartbeat
        return [row for row in heartbeat.lost + heartbeat.dropped if row.count]

    @cached_property
    def skipped_rows(self) -> list[records.LostRow]:
        """Losses that no tracer can prevent: programs that the kernel skipped, where it runs them preemptibly."""
        if not programs_are_preemptible():
            return []
        raw = {f"{name}{SKIPPED}" for name in program.probes_of(TOPICS) if name not in base.BY_EVENTS}
        return [row for row in self._missing if row.source in raw]

    @cached_property
    def skipped(self) -> int:
        """How many events the kernel says that it has skipped."""
        return sum(row.count for row in self.skipped_rows)

    def counts(self, scopes: Sequence[int] | None = None) -> dict[str, Counts]:
        """Counters by operation; of some scopes, or of all together."""
        return _by_operation(row for row in self.totals.values() if scopes is None or row.scope in scopes)

    def total(self, operation: str) -> records.TotalsRow:
        """The row of an operation that was seen in one scope only."""
        (row,) = [row for row in self.totals.values() if row.operation == operation]
        return row

    @cached_property
    def errors(self) -> dict[tuple[str, int], int]:
        """How often each operation ended with each error number."""
        latest = {
            (row.scope, row.operation, row.errno): row.count
            for record in self.of(records.Errors)
            for row in record.rows
        }
        found: Counter[tuple[str, int]] = Counter()
        for (_, operation, errno), count in latest.items():
            found[operation, errno] += count
        return {key: count for key, count in found.items() if count}

    def buckets(self, operation: str) -> dict[int, int]:
        """The latency histogram of an operation, all scopes together."""
        latest: dict[tuple[int, int], int] = {}
        for record in self.of(records.Histogram):
            if record.operation == operation:
                pairs = zip(record.buckets[::2], record.buckets[1::2], strict=True)
                latest.update({(record.scope, bucket): count for bucket, count in pairs})
        found: Counter[int] = Counter()
        for (_, bucket), count in latest.items():
            found[bucket] += count
        return dict(found)

    @cached_property
    def files(self) -> dict[str, FileUse]:
        """What was done with each path."""
        latest = {(row.scope, row.key): row for record in self.of(file_records.Files) for row in record.rows}
        found: dict[str, FileUse] = {}
        for row in latest.values():
            old = found.get(row.path, FileUse(operations=0, bytes=0, opened=0))
            found[row.path] = FileUse(
                operations=old.operations + row.operations, bytes=old.bytes + row.bytes, opened=old.opened + row.opened
            )
        return found

    @cached_property
    def targets(self) -> dict[tuple[str, int], Attempts]:
        """What became of the attempts to each address and port."""
        latest = {(row.scope, row.address, row.port): row for record in self.of(records.Targets) for row in record.rows}
        return {
            (row.address, row.port): Attempts(attempts=row.attempts, failed=row.failed, established=row.established)
            for row in latest.values()
        }

    @cached_property
    def exits(self) -> dict[tuple[int, int], int]:
        """How many processes ended with each code and signal."""
        latest = {
            (row.scope, row.comm, row.code, row.signal): row.count
            for record in self.of(records.Exits)
            for row in record.rows
        }
        found: defaultdict[tuple[int, int], int] = defaultdict(int)
        for (_, _, code, signal), count in latest.items():
            found[code, signal] += count
        return dict(found)

    @cached_property
    def processes(self) -> dict[tuple[int, int], records.ProcessRow]:
        """The last row of each process, by its pid on the node and its start."""
        return {(row.node_pid, row.start_ns): row for record in self.of(records.Processes) for row in record.rows}

    @cached_property
    def descriptor_tables(self) -> dict[tuple[int, int], DescriptorTableRow]:
        """The last row of each process, by its pid on the node and its start."""
        return {(row.node_pid, row.start_ns): row for record in self.of(DescriptorTables) for row in record.rows}

    def events(self, operation: str) -> list[records.Event]:
        """The single events of one operation."""
        return [event for event in self.of(records.Event) if event.operation == operation]
