"""A stream with at least one line of every kind: what a reader of the wire has to understand.

Real: the records, the codec. Made up: the numbers.
"""

from __future__ import annotations

from kubectl_podtrace.wire.descriptor_records import DescriptorOpeners, DescriptorTables
from kubectl_podtrace.wire.records import (
    Errors,
    Event,
    Existing,
    ExistingRow,
    LostRow,
    Notice,
    Refusal,
    SuppressedRow,
    TableRow,
    Totals,
)
from tests.unit.depth_records import depth_records
from tests.unit.lock_rows import lock_records
from tests.unit.process_records import lifecycle_records, memory_records
from tests.unit.query_streams import query_records
from tests.unit.stacks import stack_records
from tests.unit.streams import (
    LOSSES,
    STARTED,
    TRANSFERS_SHED,
    Stream,
    activity,
    cost,
    cpu_records,
    dns_records,
    error_rows,
    keyed_records,
    opener_row,
    probe,
    scope,
    table_row,
    timed,
)


def every_kind_stream() -> Stream:
    """A short stream with at least one line of every kind."""
    stream = Stream()
    stream.add(scope(), probe("raw_tracepoint:sys_exit", "files"), at_s=0.1)
    stream.add(
        Event(
            scope=0, operation="files.fsync", pid=7, node_pid=4_007, comm="db", start_ns=STARTED,
            duration_ns=31_000_000,
            errno=0, signal=0, result=0, slow=True, name="/data/log", address="", port=0,
        ),
        Refusal(slug="example", text="what a tracer says that cannot trace", hint="what to do"),
    )  # fmt: skip
    stream.add(Existing(total=1, rows=(ExistingRow(state="ESTABLISHED", address="10.0.0.7", port=5432, count=1),)))
    stream.add(Notice(slug="example", text="a remark"))
    row, buckets = timed("files.fsync", [31_000_000, 2_000_000], slow_above=10_000_000, errors=1)
    stream.add(Totals(rows=(row,)), buckets, Errors(rows=error_rows("files.fsync", {28: 1})))
    stream.add(*keyed_records(), *lifecycle_records(), *memory_records(), *cpu_records(), *lock_records())
    stream.add(*depth_records(), *dns_records(), *stack_records())
    stream.add(*query_records())
    stream.add(DescriptorTables(rows=(table_row(limit=1_024, first_file=4, file=5, first_socket=20, socket=30),)))
    stream.add(DescriptorOpeners(rows=(opener_row(key=3, open=8, older=7, frames=(3, 4)), opener_row(key=4, open=1))))
    stream.add(activity((0, 0.5, 1), (0, 1, 2)))
    stream.beat(
        1,
        lost=(*LOSSES, LostRow(source="sys_exit: interrupted by itself", topic="all", count=2)),
        dropped=(LostRow(source="stream budget", topic="files", count=3),),
        suppressed=(SuppressedRow(operation="files.open", count=5),),
        tables=(TableRow(table="files", keys=20, capacity=10_240, unlisted=0),),
    )
    stream.add(cost(2, sys_exit=90_000_000, sys_enter=60_000_000), TRANSFERS_SHED)
    stream.end(2)
    return stream
