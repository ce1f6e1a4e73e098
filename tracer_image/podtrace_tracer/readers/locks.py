"""locks: what the threads of each process waited for each futex, added up over the threads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from kubectl_podtrace.wire.lock_records import LockRow, Locks
from kubectl_podtrace.wire.records import LostRow
from podtrace_tracer.kernel import waits
from podtrace_tracer.programs.map_values import name_in
from podtrace_tracer.readers.ended_rows import MAX_ENDED, EndedRows
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext

_LOCK_BYTES: Final = 24
"""The beginning of a thread's key: the process, and the address in it."""
_ROOMY: Final = 4
"""Threads that ended are looked for when more than one in so many places is taken."""

Fields = Mapping[str, Any]


class LockReader(TopicReader):
    """Adds the threads up, and takes those out of the kernel that have ended where room gets short."""

    def __init__(self, context: TraceContext, *, max_ended: int = MAX_ENDED) -> None:
        self._programs = context.programs
        self._proc = context.host.proc
        self._key = self._programs.key_layout("lock_threads")
        self._value = self._programs.value_layout("lock_threads")
        self._ended = EndedRows(lambda row: row.sum_ns, most=max_ended)
        for number, value in waits.class_of_numbers(context.host.machine).items():
            self._programs.set_number("wait_calls", number, value)

    def second(self) -> None:
        """Makes room in the kernel for the next threads."""
        if self._is_filling("lock_threads"):
            self._drain_ended()
        if self._is_filling("lock_queues"):
            for key, values in list(self._programs.items("lock_queues")):
                if not any(values[0]):
                    self._programs.delete("lock_queues", key)

    def tables(self) -> Iterator[KeyedTable]:
        """Futexes that were waited for."""
        rows = dict(self._ended.rows)
        for lock, row in self._rows(self._programs.items("lock_threads")).items():
            rows[lock] = _added(rows[lock], row) if lock in rows else row
        yield KeyedTable(
            record=Locks,
            rows={lock: row for lock, row in rows.items() if row.waits},
            ranks=(lambda row: row.sum_ns, lambda row: row.held and row.sum_ns, lambda row: row.waits),
        )

    def dropped(self) -> tuple[LostRow, ...]:
        """Futexes of ended threads that had to be let go."""
        return self._ended.dropped("locks", "what was waited for their locks is in the totals")

    def _is_filling(self, table: str) -> bool:
        return self._programs.count(table) * _ROOMY > self._programs.capacity(table)

    def _drain_ended(self) -> None:
        ended = [(key, values) for key, values in self._programs.items("lock_threads") if self._has_ended(values[0])]
        for key, _ in ended:
            self._programs.delete("lock_threads", key)
        known = self._ended.rows
        found = self._rows(ended)
        self._ended.keep({lock: _added(known[lock], row) if lock in known else row for lock, row in found.items()})

    def _has_ended(self, value: bytes) -> bool:
        pid, tid = self._value.unsigned("node_pid", value), self._value.unsigned("node_tid", value)
        # 0: not in the tracer's pid namespace, so nobody can tell.
        return pid > 0 and tid > 0 and not (self._proc / str(pid) / "task" / str(tid)).exists()

    def _rows(self, threads: Iterable[tuple[bytes, list[bytes]]]) -> dict[bytes, LockRow]:
        """By the beginning of the key that threads have in common."""
        of_locks: dict[bytes, list[Fields]] = defaultdict(list)
        for key, values in threads:
            of_locks[key[:_LOCK_BYTES]].append({**self._key.fields(key), **self._value_fields(values[0])})
        return {lock: _row(found) for lock, found in of_locks.items()}

    def _value_fields(self, value: bytes) -> Fields:
        fields = self._value.fields(value)
        # The thread's number in the kernel is part of the key; what travels are those that somebody can look up.
        fields["own_tid"] = fields.pop("tid")
        return fields


def _row(threads: list[Fields]) -> LockRow:
    first, waker = threads[0], max(threads, key=lambda thread: (thread["woken_ns"], thread["woken"]))
    is_known = waker["woken"] > 0
    return LockRow(
        scope=first["scope"],
        pid=first["pid"],
        node_pid=first["node_pid"],
        start_ns=first["start_ns"],
        comm=name_in(first["comm"]),
        address=first["address"],
        **{name: sum(thread[name] for thread in threads) for name in ("waits", "held", "timeouts", "sum_ns")},
        max_ns=max(thread["max_ns"] for thread in threads),
        waiters=sum(thread["waits"] > 0 for thread in threads),
        max_waiters=max(thread["max_queue"] for thread in threads),
        waker_tid=waker["own_tid"] if is_known else 0,
        waker_node_tid=waker["node_tid"] if is_known else 0,
        waker_comm=name_in(waker["thread_comm"]) if is_known else "",
        waker_waits=waker["woken"],
        waker_ns=waker["woken_ns"],
    )


def _added(ended: LockRow, row: LockRow) -> LockRow:
    """Threads that have ended, and others, at the same address."""
    waker = max(ended, row, key=lambda part: part.waker_ns)
    return replace(
        row,
        waits=ended.waits + row.waits,
        held=ended.held + row.held,
        timeouts=ended.timeouts + row.timeouts,
        sum_ns=ended.sum_ns + row.sum_ns,
        max_ns=max(ended.max_ns, row.max_ns),
        waiters=ended.waiters + row.waiters,
        max_waiters=max(ended.max_waiters, row.max_waiters),
        waker_tid=waker.waker_tid,
        waker_node_tid=waker.waker_node_tid,
        waker_comm=waker.waker_comm,
        waker_waits=waker.waker_waits,
        waker_ns=waker.waker_ns,
    )
