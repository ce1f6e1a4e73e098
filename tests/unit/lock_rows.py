"""What threads waited for in futex calls, as a tracer would write it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kubectl_podtrace.wire.lock_records import LockRow, Locks
from kubectl_podtrace.wire.records import Record


def lock_row(**values: Any) -> LockRow:
    """A lock of the shop's that eight workers waited for; `values` replace fields."""
    row = LockRow(
        scope=0, pid=1, node_pid=40_001, start_ns=5, comm="shop", address=0x55D0_1000, waits=101, held=101, timeouts=0,
        sum_ns=9_000_000, max_ns=3_000_000, waiters=8, max_waiters=7, waker_tid=12, waker_node_tid=40_012,
        waker_comm="compactor", waker_waits=67, waker_ns=8_000_000, frames=(3, 4, 2), waker_frames=(1, 2),
        variable=(6,),
    )  # fmt: skip
    return replace(row, **values)


def lock_records() -> tuple[Record, ...]:
    """A lock, and a condition that idle threads waited for."""
    idle = lock_row(
        address=0x7F00_2000, waits=2, held=0, timeouts=1, sum_ns=270_000, max_ns=180_000, waiters=1, max_waiters=1,
        waker_waits=1, waker_ns=90_000, variable=(),
    )  # fmt: skip
    return (Locks(rows=(lock_row(), idle)),)
