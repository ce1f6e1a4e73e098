"""Stacks as a tracer would tell them."""

from __future__ import annotations

from kubectl_podtrace.wire.histogram import bucket_of
from kubectl_podtrace.wire.records import Record
from kubectl_podtrace.wire.stack_records import CpuFunctionRow, CpuFunctions, FrameRow, Frames, StackRow, Stacks

STACK_FRAMES = (
    ("fsync", "/lib/x86_64-linux-gnu/libc.so.6", 0x10A3B0, ""),
    ("store::flush(store::journal&)", "/srv/shop/orders", 0x1F50, "store.cc:87"),
    ("main", "/srv/shop/orders", 0x11C0, "main.cc:31"),
    ("", "/usr/lib/libpayment.so.2", 0x4E10, ""),
    ("shop::price(shop::cart const&)", "/srv/shop/orders", 0, ""),
    ("", "[kernel]", 0, ""),
    ("store::ledger_lock", "/srv/shop/orders", 0x4080, ""),
)


def stack_records() -> tuple[Record, ...]:
    """Slow fsyncs of one place in a program with symbols, and slow receives of a library without."""
    return (
        Frames(
            rows=tuple(
                FrameRow(key=key, symbol=symbol, module=module, offset=offset, source=source, build_id=f"{key:040x}")
                for key, (symbol, module, offset, source) in enumerate(STACK_FRAMES)
            )
        ),
        Stacks(
            rows=(
                StackRow(
                    scope=0,
                    key=0,
                    operation="files.fsync",
                    target="/var/lib/shop/orders.db",
                    targets_vary=False,
                    count=3,
                    total_ns=107_000_000,
                    max_ns=45_000_000,
                    buckets=(bucket_of(31_000_000), 2, bucket_of(45_000_000), 1),
                    frames=(0, 1, 2),
                ),
                StackRow(
                    scope=0,
                    key=1,
                    operation="tcp.receive",
                    target="10.96.12.7:5432",
                    targets_vary=True,
                    count=2,
                    total_ns=400_000_000,
                    max_ns=250_000_000,
                    buckets=(bucket_of(150_000_000), 1, bucket_of(250_000_000), 1),
                    frames=(3,),
                ),
            )
        ),
        CpuFunctions(
            rows=(
                CpuFunctionRow(scope=0, frame=4, samples=700),
                CpuFunctionRow(scope=0, frame=5, samples=400),
            )
        ),
    )
