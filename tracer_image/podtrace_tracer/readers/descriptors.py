"""The descriptor tables of the target's processes, as they stand at the start, every five seconds and at the end."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from kubectl_podtrace.wire.descriptor_records import DescriptorTableRow, DescriptorTables
from kubectl_podtrace.wire.records import LostRow
from kubectl_podtrace.wire.topics import DESCRIPTOR_KINDS
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.readers.openers import Openers, Suspect
from podtrace_tracer.readers.suspects import Key, Suspects
from podtrace_tracer.target.descriptor_table import TableReading, inner_pid, open_numbers, read_table, tells_sizes

MAX_LOOKED_AT: Final = 8_000
"""So many descriptors are looked at in one reading of all tables; a look takes some microseconds."""
MOST_OF_ONE, LEAST_OF_ONE = 2_000, 20
"""So many of one table's, however few or many tables there are."""
MAX_LISTED: Final = 20_000
"""So many numbers of suspects' descriptors are listed, where there are too many to look at what each is."""
MAX_TABLES: Final = 1_000
MAX_ENDED: Final = 1_000
_KINDS: Final = struct.Struct("=4I")


@dataclass(frozen=True, kw_only=True)
class _Birth:
    """What a process had when it was made or began to run its program, as the programs saw it."""

    at_ns: int
    kinds: Counter[str]


class DescriptorReader(TopicReader):
    """Reads the tables whenever they are asked for. The first reading is that of the start."""

    def __init__(self, context: TraceContext, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._context = context
        self._proc = context.host.proc
        self._clock = clock
        self._has_sizes = tells_sizes(self._proc)
        self._rows: dict[Key, DescriptorTableRow] = {}
        self._ended: list[Key] = []
        self._let_go = 0
        self._most_unread = 0
        self._is_over = False
        self._suspects = Suspects()
        self._openers = Openers(context)
        self._read({})

    def last_look(self) -> None:
        """What the processes have open at the end."""
        self._read(self._births())
        self._openers.ask()
        self._is_over = True

    def tables(self) -> Iterator[KeyedTable]:
        """What the processes have open now."""
        if not self._is_over:
            self._read(self._births())
        yield KeyedTable(record=DescriptorTables, rows=self._rows, ranks=(_open, _growth, _fullness))
        yield self._openers.table()

    def dropped(self) -> tuple[LostRow, ...]:
        """Processes that were too many to be read, or to be kept when they had ended."""
        counts = {
            f"descriptor tables beyond {MAX_TABLES} at a time: their growth is not known": self._most_unread,
            f"descriptor tables of ended processes beyond {MAX_ENDED}": self._let_go,
        }
        rows = (LostRow(source=source, topic="descriptors", count=count) for source, count in counts.items() if count)
        return (*rows, *self._openers.dropped())

    def _read(self, births: Mapping[int, _Birth]) -> None:
        """A process that is met later than at the start began in between: `births` say with what."""
        now = self._clock()
        scopes = self._context.scopes.by_pid()
        pids = self._context.pids()
        read, left = pids[:MAX_TABLES], MAX_LOOKED_AT
        self._most_unread = max(self._most_unread, len(pids) - len(read))
        seen: dict[Key, TableReading] = {}
        for place, pid in enumerate(read):
            most = max(LEAST_OF_ONE, min(MOST_OF_ONE, left // (len(read) - place)))
            found = read_table(self._proc, pid, most=most, has_sizes=self._has_sizes)
            if found is None:
                continue
            left = max(0, left - (found.sampled or found.kinds.total()))
            key = (pid, found.start_ns)
            seen[key] = found
            known = self._rows.get(key)
            birth = births.get(pid)
            if known is None:
                known = self._first(found, scopes.get(pid, 0), now)
            elif birth and birth.at_ns <= known.since_ns:
                birth = None
            self._rows[key] = _now(_since(known, birth) if birth else known, found)
        unread = set(pids[MAX_TABLES:])
        self._note_ended([key for key in self._rows if key not in seen and key[0] not in unread])
        self._look_for_leaks(seen, now)

    def _look_for_leaks(self, seen: Mapping[Key, TableReading], now: int) -> None:
        """Who opens descriptors of which a process has more and more?"""
        suspects: dict[Key, Suspect] = {}
        left = MAX_LISTED
        self._suspects.keep(seen)
        for key, found in seen.items():
            row = self._rows[key]
            kinds = self._suspects.look(key, row, now)
            # Where opens are not looked at any more, a number can stand for another descriptor than was noted.
            if not kinds or "descriptors" in self._context.blind:
                continue
            numbers = found.links
            if found.sampled:
                numbers = dict.fromkeys(open_numbers(self._proc, found.pid, most=left), "")
                left -= len(numbers)
            suspects[key] = Suspect(row=row, kinds=kinds, open=numbers)
        self._openers.look(suspects, seen, now)

    def _births(self) -> dict[int, _Birth]:
        """By pid as the tracer's /proc numbers it."""
        programs = self._context.programs
        layout = programs.value_layout("births")
        found = {}
        for _, values in programs.items("births"):
            fields = layout.fields(values[0])
            kinds = Counter(dict(zip(DESCRIPTOR_KINDS, _KINDS.unpack(fields["kinds"]), strict=True)))
            found[fields["node_pid"]] = _Birth(at_ns=fields["at_ns"], kinds=kinds)
        return found

    def _first(self, found: TableReading, scope: int, now: int) -> DescriptorTableRow:
        kinds = {kind: found.kinds[kind] for kind in DESCRIPTOR_KINDS}
        return DescriptorTableRow(
            scope=scope,
            pid=inner_pid(self._proc, found.pid),
            node_pid=found.pid,
            start_ns=found.start_ns,
            comm=found.comm,
            alive=True,
            limit=found.limit,
            since_ns=now,
            sampled=found.sampled,
            **{f"first_{kind}": count for kind, count in kinds.items()},
            **kinds,
        )

    def _note_ended(self, keys: list[Key]) -> None:
        """They keep what was read last. Of too many, the first ones are let go, and counted."""
        for key in keys:
            if self._rows[key].alive:
                self._rows[key] = replace(self._rows[key], alive=False)
                self._ended.append(key)
        while len(self._ended) > MAX_ENDED:
            del self._rows[self._ended.pop(0)]
            self._let_go += 1


def _since(row: DescriptorTableRow, birth: _Birth) -> DescriptorTableRow:
    file, socket, pipe, other = (birth.kinds[kind] for kind in DESCRIPTOR_KINDS)
    return replace(row, since_ns=birth.at_ns, first_file=file, first_socket=socket, first_pipe=pipe, first_other=other)


def _now(row: DescriptorTableRow, found: TableReading) -> DescriptorTableRow:
    file, socket, pipe, other = (found.kinds[kind] for kind in DESCRIPTOR_KINDS)
    return replace(
        row,
        comm=found.comm,
        limit=found.limit,
        sampled=found.sampled,
        file=file,
        socket=socket,
        pipe=pipe,
        other=other,
    )


def _open(row: DescriptorTableRow) -> int:
    return row.file + row.socket + row.pipe + row.other


def _growth(row: DescriptorTableRow) -> int:
    return _open(row) - row.first_file - row.first_socket - row.first_pipe - row.first_other


def _fullness(row: DescriptorTableRow) -> int:
    return _open(row) * 1_000 // row.limit if row.limit else 0
