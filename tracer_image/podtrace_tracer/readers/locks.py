"""locks: what the threads of each process waited for each futex, added up over the threads."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kubectl_podtrace.wire.lock_records import LockRow, Locks
from kubectl_podtrace.wire.records import LostRow
from podtrace_tracer.kernel import waits
from podtrace_tracer.programs.map_values import name_in
from podtrace_tracer.readers.ended_rows import MAX_ENDED, EndedRows
from podtrace_tracer.readers.frames import StackFrames
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext

_LOCK_BYTES: Final = 24
"""The beginning of a thread's key: the process, and the address in it."""
_ROOMY: Final = 4
"""Threads that ended are looked for when more than one in so many places is taken."""

NAMED: Final = 200
"""So many words, those with the longest waits, get the frames of their stacks."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """What is known of one word: its row, and the stacks by their hashes. `stack_ns` is how long its wait was."""

    row: LockRow
    tgid: int
    executions: int
    stack: int
    stack_ns: int
    waker_stack: int

    def __add__(self, other: Word) -> Word:
        """The same word for other threads; of equal ones, the stacks are those of `other`."""
        stack = max(other, self, key=lambda word: word.stack_ns)
        waker = max(other, self, key=lambda word: word.row.waker_ns)
        return replace(
            other,
            row=_added(other.row, self.row, waker.row),
            executions=max(self.executions, other.executions),
            stack=stack.stack,
            stack_ns=stack.stack_ns,
            waker_stack=waker.waker_stack,
        )


class LockReader(TopicReader):
    """Adds the threads up, and takes those out of the kernel that have ended where room gets short."""

    def __init__(self, context: TraceContext, *, max_ended: int = MAX_ENDED) -> None:
        self._programs = context.programs
        self._proc = context.host.proc
        self._key = self._programs.key_layout("lock_threads")
        self._value = self._programs.value_layout("lock_threads")
        self._ended = EndedRows(lambda word: word.row.sum_ns, added=operator.add, most=max_ended)
        self._frames = context.frames
        self._stacks = StackFrames(context)
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

    def settle(self, ended_ns: int) -> None:  # noqa: ARG002  nothing here depends on the moment
        """Asks for the names of what came last."""
        self._named(self._words())

    def tables(self) -> Iterator[KeyedTable]:
        """Futexes that were waited for."""
        yield KeyedTable(
            record=Locks,
            rows=self._named(self._words()),
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
        self._ended.keep(self._read(ended))

    def _has_ended(self, value: bytes) -> bool:
        pid, tid = self._value.unsigned("node_pid", value), self._value.unsigned("node_tid", value)
        # 0: not in the tracer's pid namespace, so nobody can tell.
        return pid > 0 and tid > 0 and not (self._proc / str(pid) / "task" / str(tid)).exists()

    def _words(self) -> dict[bytes, Word]:
        """Those that were waited for, by the beginning of the key that threads have in common."""
        words = self._ended.over(self._read(self._programs.items("lock_threads")))
        return {lock: word for lock, word in words.items() if word.row.waits}

    def _read(self, threads: Iterable[tuple[bytes, list[bytes]]]) -> dict[bytes, Word]:
        of_locks: dict[bytes, list[Fields]] = defaultdict(list)
        for key, values in threads:
            of_locks[key[:_LOCK_BYTES]].append({**self._key.fields(key), **self._value_fields(values[0])})
        return {lock: _word(found) for lock, found in of_locks.items()}

    def _named(self, words: Mapping[bytes, Word]) -> dict[bytes, LockRow]:
        """The rows, the first ones with their names and the frames of their stacks."""
        rows = {lock: word.row for lock, word in words.items()}
        ordered = sorted(words.items(), key=lambda item: (item[1].row.held == 0, -item[1].row.sum_ns))
        for lock, word in ordered[:NAMED]:
            image = (word.row.start_ns, word.executions, word.tgid)
            frames, waker_frames = (self._stacks.of(image, stack) or () for stack in (word.stack, word.waker_stack))
            number = self._frames.variable(image, word.row.address)
            variable = () if number is None else (number,)
            self._frames.use((*frames, *waker_frames, *variable))
            rows[lock] = replace(word.row, frames=frames, waker_frames=waker_frames, variable=variable)
        return rows

    def _value_fields(self, value: bytes) -> Fields:
        fields = self._value.fields(value)
        # The thread's number in the kernel is part of the key; what travels are those that somebody can look up.
        fields["own_tid"] = fields.pop("tid")
        return fields


def _word(threads: list[Fields]) -> Word:
    first, waker = threads[0], max(threads, key=lambda thread: (thread["woken_ns"], thread["woken"]))
    longest = max(threads, key=lambda thread: thread["stack_ns"])
    is_known = waker["woken"] > 0
    row = LockRow(
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
        frames=(),
        waker_frames=(),
        variable=(),
    )
    return Word(
        row=row,
        tgid=first["tgid"],
        executions=max(thread["executions"] for thread in threads),
        stack=longest["stack"],
        stack_ns=longest["stack_ns"],
        waker_stack=waker["waker_stack"],
    )


def _added(row: LockRow, ended: LockRow, waker: LockRow) -> LockRow:
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
