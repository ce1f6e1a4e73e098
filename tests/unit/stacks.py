"""Stacks as a tracer would tell them."""

from __future__ import annotations

from collections import Counter

from kubectl_podtrace.wire.histogram import bucket_of
from kubectl_podtrace.wire.records import Record
from kubectl_podtrace.wire.stack_records import (
    CpuFunctionRow,
    CpuFunctions,
    CpuStackRow,
    CpuStacks,
    FrameRow,
    Frames,
    OffCpuStackRow,
    OffCpuStacks,
    StackRow,
    Stacks,
)

STACK_FRAMES = (
    ("fsync", "/lib/x86_64-linux-gnu/libc.so.6", 0x10A3B0, ""),
    ("store::flush(store::journal&)", "/srv/shop/orders", 0x1F50, "store.cc:87"),
    ("main", "/srv/shop/orders", 0x11C0, "main.cc:31"),
    ("", "/usr/lib/libpayment.so.2", 0x4E10, ""),
    ("shop::price(shop::cart const&)", "/srv/shop/orders", 0, ""),
    ("", "[kernel]", 0, ""),
    ("store::ledger_lock", "/srv/shop/orders", 0x4080, ""),
    ("write", "/lib/x86_64-linux-gnu/libc.so.6", 0, ""),
    ("shop::checkout()", "/srv/shop/orders", 0, ""),
    ("main", "/srv/shop/orders", 0, ""),
    ("recv", "/lib/x86_64-linux-gnu/libc.so.6", 0x11F2C0, ""),
    ("store::ledger::fetch()", "/srv/shop/orders", 0x2210, "store.cc:40"),
)


def stack_records() -> tuple[Record, ...]:
    """Slow fsyncs of one place in a program with symbols, slow receives of a library without; what ran and waited."""
    rows = tuple(
        FrameRow(key=key, symbol=symbol, module=module, offset=offset, source=source, build_id=f"{key:040x}")
        for key, (symbol, module, offset, source) in enumerate(STACK_FRAMES)
    )
    functions = tuple(CpuFunctionRow(scope=0, frame=frame, samples=samples) for frame, samples in ((4, 700), (5, 400)))
    running = (((4, 8, 9), 600), ((5, 7, 8, 9), 350), ((4, 9), 100))
    return (
        Frames(rows=rows),
        Stacks(rows=_slow_operations()),
        CpuFunctions(rows=functions),
        CpuStacks(
            rows=tuple(
                CpuStackRow(scope=0, key=key, samples=samples, frames=frames)
                for key, (frames, samples) in enumerate(running)
            )
        ),
        OffCpuStacks(rows=(_waits(2, range(397), (10, 3)), _waits(3, range(397, 498), (10, 11, 2)))),
    )


def _slow_operations() -> tuple[StackRow, ...]:
    return (
        StackRow(
            scope=0, key=0, operation="files.fsync", target="/var/lib/shop/orders.db", targets_vary=False, count=3,
            total_ns=107_000_000, max_ns=45_000_000, buckets=(bucket_of(31_000_000), 2, bucket_of(45_000_000), 1),
            frames=(0, 1, 2),
        ),
        StackRow(
            scope=0, key=1, operation="tcp.receive", target="10.96.12.7:5432", targets_vary=True, count=2,
            total_ns=400_000_000, max_ns=250_000_000,
            buckets=(bucket_of(150_000_000), 1, bucket_of(250_000_000), 1), frames=(3,),
        ),
    )  # fmt: skip


def _waits(key: int, numbers: range, frames: tuple[int, ...]) -> OffCpuStackRow:
    """Some of the waits of the shop for the network."""
    values = [2_000_000 + 1_009 * number for number in numbers]
    buckets = tuple(number for pair in sorted(Counter(map(bucket_of, values)).items()) for number in pair)
    return OffCpuStackRow(
        scope=0,
        key=key,
        operation="cpu.network",
        count=len(values),
        total_ns=sum(values),
        max_ns=max(values),
        buckets=buckets,
        frames=frames,
    )
