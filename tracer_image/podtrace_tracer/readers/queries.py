"""queries: keeps looking for the libraries of database clients, and reads what was asked through them."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from kubectl_podtrace.wire.query_records import ClientLibraries, Queries, QueryRow
from podtrace_tracer.collectors.queries import PROTOCOLS
from podtrace_tracer.programs.map_values import filled_buckets, in_a_row, merged
from podtrace_tracer.readers import statement_automaton
from podtrace_tracer.readers.client_probes import ClientProbes
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.readers.statement_text import statement_text

RECORD_STATEMENT: Final = 7  # of include/queries.bpf.h
_STATEMENT: Final = struct.Struct("=IIQII")
_WITHOUT_TEXT: Final = {0: "(text could not be read)", 1: "(prepared before the trace)"}
"""QUERY_UNREADABLE and QUERY_PREPARED_EARLIER of include/queries.bpf.h."""
AGAIN_S: Final = 5
SELDOM_S: Final = 30
"""So often all processes are looked at again, since they may load libraries late; seldom if they are many."""
MANY_PROCESSES: Final = 50
_TGID_AT: Final = {"query_prepared": 16, "query_queues": 8, "query_waits": 16}
"""Where the process stands in the keys of tables that nobody empties when it ends."""

_Group = tuple[int, int, str]


class QueryReader(TopicReader):
    """Groups statements by their text, without their values.

    Where no library was in sight at the start the programs are left out; it looks for libraries all the same, to tell.
    """

    def __init__(self, context: TraceContext) -> None:
        self._context = context
        self._programs = context.programs
        self._seconds = 0
        self._texts: dict[tuple[int, int], str] = {}
        self._numbers: dict[_Group, int] = {}
        self._probes = ClientProbes(context)
        context.takers[RECORD_STATEMENT] = self._take_statement
        if self._programs.has("queries"):
            self._programs.set_number("query_steps", 0, int.from_bytes(statement_automaton.table(), "little"))
        self._probes.look(context.pids(), again=False)

    def second(self) -> None:
        """Looks for new processes, and for libraries that were loaded meanwhile."""
        self._seconds += 1
        pids = self._context.pids()
        every = AGAIN_S if len(pids) <= MANY_PROCESSES else SELDOM_S
        self._probes.look(pids, again=self._seconds % every == 0)
        if self._seconds % SELDOM_S == 0 and self._programs.has("queries"):
            self._forget_ended()

    def tables(self) -> Iterator[KeyedTable]:
        """Statements, and the files through which they were seen."""
        yield KeyedTable(
            record=Queries, rows=self._rows() if self._programs.has("queries") else {},
            ranks=(lambda row: row.sum_ns, lambda row: row.count, lambda row: row.errors),
        )  # fmt: skip
        yield KeyedTable(record=ClientLibraries, rows=self._probes.rows(), ranks=(lambda row: row.processes,))

    def _take_statement(self, data: bytes) -> None:
        _, protocol, text_hash, length, is_cut = _STATEMENT.unpack_from(data)
        stripped = data[_STATEMENT.size : _STATEMENT.size + length]
        self._texts[protocol, text_hash] = statement_text(stripped, is_cut=bool(is_cut))

    def _rows(self) -> dict[int, QueryRow]:
        """Statements by their number: those whose texts are alike without their values are one."""
        counters_of, key_of = self._programs.value_layout("queries"), self._programs.key_layout("queries")
        histograms = {key: values[0] for key, values in self._programs.items("query_histograms")}
        counters: dict[_Group, list[dict[str, int]]] = {}
        buckets: dict[_Group, Counter[int]] = {}
        for key, values in self._programs.items("queries"):
            what, found = key_of.fields(key), merged([counters_of.fields(value) for value in values])
            text = self._text_of(what)
            if text is None or not found["count"]:
                continue  # it has just been met: the text is on its way
            group = (what["scope"], what["protocol"], text)
            counters.setdefault(group, []).append(found)
            flat = filled_buckets(histograms.get(key, b""))
            buckets.setdefault(group, Counter()).update(dict(zip(flat[::2], flat[1::2], strict=True)))
        rows = [self._row(group, merged(parts), buckets[group]) for group, parts in counters.items()]
        return {row.key: row for row in rows}

    def _text_of(self, what: dict[str, Any]) -> str | None:
        return _WITHOUT_TEXT.get(what["hash"]) or self._texts.get((what["protocol"], what["hash"]))

    def _row(self, group: _Group, counters: dict[str, int], buckets: Counter[int]) -> QueryRow:
        scope, protocol, text = group
        return QueryRow(
            scope=scope,
            key=self._numbers.setdefault(group, len(self._numbers)),
            protocol=PROTOCOLS[protocol],
            statement=text,
            count=counters["count"],
            errors=counters["errors"],
            sum_ns=counters["sum_ns"],
            max_ns=counters["max_ns"],
            buckets=in_a_row(buckets),
        )

    def _forget_ended(self) -> None:
        """What ended processes have left behind would fill these tables in the end."""
        full = [name for name in _TGID_AT if self._programs.count(name) > self._programs.capacity(name) // 2]
        alive = {key for key, _ in self._programs.items("processes")} if full else set()
        for name in full:
            at = _TGID_AT[name]
            for key in [key for key, _ in self._programs.items(name) if key[at : at + 4] not in alive]:
                self._programs.delete(name, key)
