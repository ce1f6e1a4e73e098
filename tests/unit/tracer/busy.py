"""A pod in which everything happens all the time, and what its tracer writes. Real: the snapshots and their pace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from kubectl_podtrace.wire.file_records import FileRow, Files
from kubectl_podtrace.wire.records import (
    ErrorRow,
    ExitRow,
    Histogram,
    LostRow,
    Processes,
    ProcessRow,
    TableRow,
    TargetRow,
    Targets,
    TotalsRow,
    Trailer,
)
from podtrace_tracer.readers.model import KeyedTable
from podtrace_tracer.readers.tables import Tables
from podtrace_tracer.stream.emit import Emitter
from podtrace_tracer.stream.pace import Pace
from podtrace_tracer.stream.snapshot import Snapshots
from tests.unit.streams import HEADER, SECOND, STARTED, scope
from tests.unit.tracer.events import an_event

ACTIVE = (
    "tcp.send", "tcp.receive", "files.read", "files.write", "files.open", "files.fsync", "descriptors.close",
    "connections.attempt", "dns.lookup", "processes.exec", "processes.fork_process", "processes.exit",
)  # fmt: skip
FLOOD = tuple(
    an_event(operation, errno=2, name="/etc/shop/local.conf") for operation in ("files.open", "connections.attempt")
)


class BusyTables(Tables):
    """Tables of a pod in which everything happens all the time: every row differs from the one of the second before."""

    def __init__(self, keys: int) -> None:
        self.second = 0
        self._keys = keys

    def totals(self, _scopes: Iterable[int]) -> dict[tuple[int, str], TotalsRow]:
        count = self.second * 12_345
        return {
            (0, name): TotalsRow(
                scope=0, operation=name, count=count, errors=count // 9, would_block=count // 3, interrupted=0,
                bytes=count * 1021, messages=0, timed=count, slow=count // 99, sum_ns=count * 98_765,
                max_ns=987_654_321, max_bytes=65_536,
            )
            for name in ACTIVE
        }  # fmt: skip

    def histograms(self, rows: Iterable[TotalsRow]) -> Iterator[Histogram]:
        for row in rows:
            buckets = tuple(number for bucket in range(100) for number in (bucket, self.second * bucket * 13))
            yield Histogram(scope=0, operation=row.operation, buckets=buckets)

    def errors(self) -> list[ErrorRow]:
        return [ErrorRow(scope=0, operation="files.open", errno=errno, count=self.second) for errno in range(1, 20)]

    def exits(self) -> list[ExitRow]:
        return [ExitRow(scope=0, comm=f"job-{job}", code=0, signal=0, count=self.second) for job in range(40)]

    def keyed(self) -> Iterator[KeyedTable]:
        count, keys = self.second, range(self._keys)
        files = {
            key: FileRow(
                scope=0, key=key, path=f"/var/lib/shop/orders/{key:040}", operations=count, bytes=count * 4096,
                slow=0, total_ns=count * 9_999, opened=count,
            )
            for key in keys
        }  # fmt: skip
        targets = {
            key: TargetRow(
                scope=0, address=f"10.0.{key // 250}.{key % 250}", port=5432, attempts=count, failed=0,
                established=count, handshake_ns=count * 1_000_000, max_ns=9_999_999,
            )
            for key in keys
        }  # fmt: skip
        processes = {
            key: ProcessRow(scope=0, pid=key, node_pid=key, start_ns=key * 10**9, comm="job", events=count, alive=True)
            for key in keys
        }
        yield KeyedTable(record=Files, rows=files, ranks=(lambda row: row.bytes,))
        yield KeyedTable(record=Targets, rows=targets, ranks=(lambda row: row.attempts,))
        yield KeyedTable(record=Processes, rows=processes, ranks=(lambda row: row.events,))

    def drain_ended(self) -> None:
        """Nothing ends."""

    def lost(self) -> tuple[LostRow, ...]:
        return (LostRow(source="events that found no place in the ring buffer", topic="files", count=self.second),)

    def dropped(self) -> tuple[LostRow, ...]:
        return ()

    def suppressed(self) -> Counter[str]:
        return Counter(dict.fromkeys(ACTIVE, self.second))

    def table_rows(self) -> tuple[TableRow, ...]:
        return tuple(TableRow(table=f"table-{number}", keys=200, capacity=10_240, unlisted=0) for number in range(9))


class LongTrace:
    """A busy trace with a flood of single events; `kinds` has the records of each second, `written` their bytes."""

    def __init__(self, *, keys: int) -> None:
        self.lines: list[bytes] = []
        self.written: list[int] = []
        self.kinds: list[Counter[str]] = []
        self._tables = BusyTables(keys)
        self._emitter = Emitter(lambda: STARTED + self._tables.second * SECOND, self._write)
        self._snapshots = Snapshots(self._tables, self._emitter)
        self._pace = Pace(watched=False)
        self._emitter.emit(replace(HEADER, started_ns=0))
        self._repeat()

    def run(self, seconds: range) -> None:
        for second in seconds:
            before = len(self.lines)
            self._tables.second = second
            self._pace.reach(second)
            for event in FLOOD:
                for _ in range(100):
                    self._emitter.emit_event(event)
            self._snapshots.turn([0], self._pace, self._repeat)
            new = self.lines[before:]
            self.kinds.append(Counter(line.split(b'"', 4)[3].decode() for line in new))
            self.written.append(sum(map(len, new)))

    def end(self) -> None:
        """The final snapshot and the trailer."""
        self._repeat()
        totals = self._snapshots.final([0], 0)
        ended_ns = STARTED + self._tables.second * SECOND
        heartbeat = self._snapshots.heartbeat()
        self._emitter.emit(Trailer(ended_ns=ended_ns, reason="duration", heartbeat=heartbeat, totals=totals))

    def seconds_of(self, kind: str) -> list[int]:
        """The turns in which records of a kind were written."""
        return [turn for turn, kinds in enumerate(self.kinds) if kinds[kind]]

    def _repeat(self) -> int:
        return self._emitter.emit_all([HEADER, scope()])

    def _write(self, data: bytes) -> int:
        self.lines.append(data)
        return len(data)
