"""The stream of a small shop: half a minute in which it does most things that a report can show.

Real: the records, the codec, the histogram's arithmetic. Made up: the numbers.
"""

from __future__ import annotations

from functools import cache

from kubectl_podtrace.wire.activity_records import Activity
from kubectl_podtrace.wire.descriptor_records import DescriptorOpeners, DescriptorTables
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
from kubectl_podtrace.wire.records import (
    Errors,
    Existing,
    ExistingRow,
    Histogram,
    Notice,
    Record,
    Totals,
    TotalsRow,
)
from tests.unit.depth_records import depth_records
from tests.unit.lock_rows import lock_records
from tests.unit.process_records import lifecycle_records, memory_records
from tests.unit.query_streams import ALL_DURATIONS, query_records
from tests.unit.stacks import stack_records
from tests.unit.streams import (
    SECOND,
    Stream,
    activity,
    cost,
    cpu_records,
    error_rows,
    keyed_records,
    opener_row,
    probe,
    scope,
    table_row,
    timed,
    totals_row,
)

EVENTS = 30_211
LOOKUP_DURATIONS = tuple(310_000 + 400 * number for number in range(4_100)) + (2_700_000_000,) * 41
"""Answers from a near server, and 41 that it passed on in vain."""


@cache
def lookup_records() -> tuple[Record, ...]:
    """A name in the cluster is found at once; one outside is looked up along the search domains first."""
    names = (
        ("orders-db.shop.svc.cluster.local", 820, 0, 0, 0),
        ("api.payments.example", 820, 41, 0, 9),
        ("api.payments.example.shop.svc.cluster.local", 820, 0, 820, 0),
        ("api.payments.example.svc.cluster.local", 820, 0, 820, 0),
        ("api.payments.example.cluster.local", 820, 0, 820, 0),
        ("cache.example.net", 50, 0, 0, 0),
    )
    _, durations = timed("dns.lookup", LOOKUP_DURATIONS)
    return (
        DnsNames(
            rows=tuple(
                DnsNameRow(
                    scope=0, key=key, name=name, lookups=count, answers=count - timeouts, errors=errors,
                    nxdomain=nxdomain, timeouts=timeouts, total_ns=count * 1_000_000, max_ns=2_700_000_000,
                )
                for key, (name, count, errors, nxdomain, timeouts) in enumerate(names)
            )
        ),
        DnsTypes(
            rows=(DnsTypeRow(scope=0, query_type=1, count=2_075), DnsTypeRow(scope=0, query_type=28, count=2_075))
        ),
        DnsCodes(
            rows=tuple(DnsCodeRow(scope=0, code=code, count=count) for code, count in ((0, 1_640), (2, 41), (3, 2_460)))
        ),
        Resolvers(
            rows=(
                ResolverRow(
                    scope=0, address="10.96.0.10", port=53, lookups=4_150, answers=4_141, timeouts=9,
                    sum_ns=sum(LOOKUP_DURATIONS), max_ns=max(LOOKUP_DURATIONS), buckets=durations.buckets,
                ),
            )
        ),
        AddressNames(
            rows=tuple(
                AddressNameRow(scope=0, address=address, name=name)
                for address, name in (
                    ("10.96.12.7", "orders-db.shop.svc.cluster.local"), ("10.96.99.1", "cache.example.net"),
                    ("203.0.113.80", "api.payments.example"),
                )
            )
        ),
    )  # fmt: skip


def shop_stream(*, trailer: bool = True) -> Stream:
    """Half a minute of a small shop: refused connections, slow fsyncs, a few errors, a restart-free container."""
    stream = Stream()
    stream.add(
        scope(),
        probe("raw_tracepoint:sys_enter", "files"),
        probe("raw_tracepoint:sys_exit", "files"),
        probe("raw_tracepoint:inet_sock_set_state", "connections"),
        probe("raw_tracepoint:tcp_retransmit_skb", "tcp", attached=False, required=False),
        Existing(
            total=3,
            rows=(
                ExistingRow(state="ESTABLISHED", address="10.96.0.1", port=443, count=2),
                ExistingRow(state="LISTEN", address="0.0.0.0", port=0, count=1),
            ),
        ),
        Notice(slug="default-container", text="container api is traced; others: proxy (--all-containers)"),
        at_s=0.1,
    )
    for second in range(1, 30):
        attempts = second * 67
        stream.add(Totals(rows=(totals_row("connections.attempt", count=attempts),)), at_s=second)
        stream.add(_readings(second - 1, second), at_s=second)
        if second % 5 == 0:
            stream.add(_descriptor_tables(more_sockets=second // 4), at_s=second)
        stream.beat(second)
    stream.add(_readings(29, 30), at_s=29.8)
    _final_snapshot(stream)
    if trailer:
        stream.end(30)
    return stream


def _readings(*seconds: int) -> Activity:
    """All goes on evenly, but for three seconds in which there is five times as much to do."""
    done = [second + 4 * min(max(second - 13, 0), 3) for second in seconds]

    def so_far(total: int) -> list[int]:
        return [total * part // 42 for part in done]

    return activity(
        seconds,
        so_far(EVENTS),
        attempts=[67 * second for second in seconds],
        transfers=so_far(18_304),
        bytes=so_far(9_655_873),
    )


def _final_snapshot(stream: Stream) -> None:
    stream.add(
        Totals(rows=(*COUNTED, *(row for row, _ in _timed_operations()))),
        *(histogram for _, histogram in _timed_operations()),
        Errors(
            rows=(
                *error_rows("connections.failure", {111: 201, 110: 8, 0: 1}),
                *error_rows("tcp.receive", {104: 3}),
                *error_rows("files.open", {2: 11, 13: 1}),
                *error_rows("processes.exec", {2: 1}),
            )
        ),
        at_s=29.9,
    )
    stream.add(*keyed_records(), *lifecycle_records(), *memory_records(), *cpu_records(), *lock_records(), at_s=29.95)
    stream.add(*stack_records(), at_s=29.95)
    stream.add(*depth_records(), *lookup_records(), _descriptor_tables(more_sockets=9), at_s=29.95)
    stream.add(*query_records(), _openers(), at_s=29.95)
    stream.add(cost(sys_exit=360_000_000, sys_enter=240_000_000, sched_switch=90_000_000), at_s=29.95)


def _descriptor_tables(*, more_sockets: int) -> DescriptorTables:
    """The worker leaves sockets open; the shop opened some files and keeps them."""
    shop = table_row(pid=1, comm="shop", limit=1_048_576, first_file=30, file=37, first_pipe=2, pipe=2, other=1)
    worker = table_row(limit=64, first_file=4, file=4, first_socket=20, socket=20 + more_sockets)
    return DescriptorTables(rows=(shop, worker))


def _openers() -> DescriptorOpeners:
    """Six of the worker's nine sockets came to be since it was seen to grow."""
    return DescriptorOpeners(
        rows=(
            opener_row(key=0, open=1, older=1, frames=(3,)),
            opener_row(key=1, open=4, older=3, frames=(0, 4, 2)),
            opener_row(key=2, frames=(0, 1, 2)),
            opener_row(key=3, open=1),
        )
    )


COUNTED = (
    totals_row("connections.attempt", count=2_010),
    totals_row("connections.failure", count=210),
    totals_row("connections.accept", count=13),
    totals_row("tcp.retransmit", count=5),
    totals_row("tcp.reset_received", count=201),
    totals_row("tcp.state_established", count=1_813),
    totals_row("tcp.state_syn_sent", count=2_010),
    totals_row("dns.answer", count=4_141),
    totals_row("dns.timeout", count=9),
    totals_row("dns.retransmit", count=11),
    totals_row("cpu.switch", count=1_019),
    totals_row("cpu.run", count=1_485, sum_ns=15 * SECOND),
    totals_row("locks.timeout", count=1),
    totals_row("processes.exec", count=4, errors=1),
    totals_row("processes.fork_process", count=3),
    totals_row("processes.fork_thread", count=8),
    totals_row("processes.exit", count=3),
    totals_row("descriptors.close", count=2_304),
    totals_row("descriptors.opened_file", count=295),
    totals_row("descriptors.opened_socket", count=2_025),
    totals_row("descriptors.opened_other", count=2),
    totals_row("descriptors.closed_file", count=288),
    totals_row("descriptors.closed_socket", count=2_016),
    totals_row("descriptors.ended_pipe", count=6),
    totals_row("descriptors.ended_other", count=1),
)


@cache
def _timed_operations() -> tuple[tuple[TotalsRow, Histogram], ...]:
    lookups = timed("dns.lookup", LOOKUP_DURATIONS, count=4_150, errors=50)
    statements = timed("queries.postgresql", [*ALL_DURATIONS, *[900_000] * 12], errors=13)
    return (*_transfers(), *_file_operations(), *_waits(), lookups, statements)


def _waits() -> tuple[tuple[TotalsRow, Histogram], ...]:
    """1,013 waits: 601 for the network and 103 for locks, each with one for a CPU behind it; 309 for a CPU alone."""
    network, lock = [2_000_000 + 1_009 * number for number in range(601)], [90_000] * 103
    queue = [40_000 + number for number in range(1_013)]
    whole = [before + after for before, after in zip(network + lock + [0] * 309, queue, strict=True)]
    durations = {"block": whole, "run_queue": queue, "network": network, "lock": lock}
    contended = timed("locks.contended", lock[:101])
    return (*(timed(f"cpu.{name}", values) for name, values in durations.items()), contended)


def _transfers() -> tuple[tuple[TotalsRow, Histogram], ...]:
    return (
        timed("connections.handshake", [210_000 + 1_000 * number for number in range(1_800)]),
        timed("tcp.send", [9_000 + 13 * number for number in range(5_003)], bytes=1_234_567, max_bytes=65_536),
        timed(
            "tcp.receive", [11_000 + 17 * number for number in range(4_999)],
            bytes=7_654_321, would_block=311, errors=3, max_bytes=16_384,
        ),
        timed(
            "tcp.rtt", [180_000 + 70 * number for number in range(10_000)] + [120_000_000] * 2, slow_above=100_000_000
        ),
        timed("udp.send", [6_000 + 3 * number for number in range(4_161)], bytes=187_245, max_bytes=67),
        timed(
            "udp.receive", [4_000 + 2 * number for number in range(4_141)],
            bytes=579_740, would_block=37, max_bytes=211,
        ),
    )  # fmt: skip


def _file_operations() -> tuple[tuple[TotalsRow, Histogram], ...]:
    return (
        timed("files.read", [900 + number for number in range(2_011)], bytes=8_237_056),
        timed("files.write", [2_100 + 3 * number for number in range(997)], bytes=510_464),
        timed("files.fsync", [4_000_000 + 90_000 * number for number in range(97)], slow_above=10_000_000),
        timed("files.open", [3_000 + 11 * number for number in range(307)], errors=12),
    )
