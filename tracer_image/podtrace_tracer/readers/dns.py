"""dns: names out of payloads, lookups that were never answered, and the tables by name, type, code and server."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

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
from kubectl_podtrace.wire.records import Event, TotalsRow
from kubectl_podtrace.wire.search_records import DnsEmpty, DnsEmptyRow, ResolverSettings, ResolverSettingsRow
from kubectl_podtrace.wire.topics import DNS_TIMEOUT_NS
from podtrace_tracer.addresses import address_text
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.programs.map_values import filled_buckets, merged, name_in, number_in
from podtrace_tracer.programs.program import MAX_SCOPES, operation_index
from podtrace_tracer.readers.dns_message import addresses, name_text
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext
from podtrace_tracer.readers.tables import totals_row
from podtrace_tracer.target.open_sockets import sockets_of
from podtrace_tracer.target.resolver_settings import Settings

RECORD_DNS_NAME, RECORD_DNS_ANSWER = 3, 4  # RECORD_ constants of include/dns.bpf.h
CODES: Final = 16
SETTLED_NS: Final = 100_000_000
"""A program that met an answer in time has taken its query out of the table by then."""
KEPT_NS: Final = 20_000_000_000
"""So long after its last transmission a lookup that timed out is remembered: one more is a retransmission."""
MAX_ADDRESSES: Final = 4_096
NAME_UNKNOWN: Final = "(name not known)"

_ADDRESS: Final = struct.Struct("=HH16s")
NameKey = tuple[int, int]
ResolverKey = tuple[int, str, int]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A lookup that waits for its answer, or did."""

    socket: int
    name: NameKey
    resolver: ResolverKey
    first_ns: int
    last_ns: int
    pid: int
    node_pid: int
    comm: str


class DnsReader(TopicReader):
    """Counts the lookups that the programs have no answer for, and reads the topic's tables."""

    def __init__(self, context: TraceContext, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._context = context
        self._programs: Programs = context.programs
        self._clock = clock
        self._layouts = {
            name: self._programs.value_layout(name) for name in ("dns_queries", "dns_names", "resolvers", "dns_scratch")
        }
        self._query_key = self._programs.key_layout("dns_queries")
        self._names: dict[NameKey, str] = {}
        self._numbers: dict[NameKey, int] = {}
        self._addresses: dict[tuple[int, str], AddressNameRow] = {}
        self._given: dict[tuple[int, str], int] = {}
        self._answers = 0
        self._timed_out: set[bytes] = set()
        self._timeouts: Counter[int] = Counter()
        self._timeouts_of_name: Counter[NameKey] = Counter()
        self._timeouts_of_resolver: Counter[ResolverKey] = Counter()
        self._settings = Settings(context.host.proc)
        self._askers: dict[int, int] = {}
        context.takers[RECORD_DNS_NAME] = self._take_name
        context.takers[RECORD_DNS_ANSWER] = self._take_answer

    def second(self) -> None:
        """Counts lookups that are past their time, or whose socket has gone."""
        if "dns" in self._context.blind:
            self._forget_queries()
            return
        self._want_settings()
        now, queries = self._clock(), self._queries()
        gone = self._without_socket(queries, now - SETTLED_NS)
        for key, query in queries.items():
            if key in self._timed_out:
                if now - query.last_ns > KEPT_NS:
                    self._timed_out.discard(key)
                    self._programs.delete("dns_queries", key)
            elif now - query.first_ns > DNS_TIMEOUT_NS + SETTLED_NS:
                self._timed_out.add(key)
                self._count(query, DNS_TIMEOUT_NS)
            elif key in gone and self._programs.delete("dns_queries", key):
                self._count(query, now - query.first_ns)

    def last_look(self) -> None:
        """The same: a socket that is closed later says nothing about its lookup."""
        self.second()

    def settle(self, ended_ns: int) -> None:
        """No program takes queries out of the table any more: those that are past their time were not answered."""
        if "dns" in self._context.blind:
            return
        for key, query in self._queries().items():
            if key not in self._timed_out and ended_ns - query.first_ns > DNS_TIMEOUT_NS:
                self._timed_out.add(key)
                self._count(query, DNS_TIMEOUT_NS)

    def _want_settings(self) -> None:
        """Whoever asked first may have gone before its settings could be read: others of the container have them."""
        missing = set(self._askers) - set(self._settings.found())
        if missing:
            scopes, pids = self._context.scopes.by_pid(), self._context.pids()
            for scope in missing:
                self._settings.want(scope, [pid for pid in pids if scopes.get(pid, 0) == scope])

    def _queries(self) -> dict[bytes, Query]:
        return {key: self._query(key, values[0]) for key, values in self._programs.items("dns_queries")}

    def _forget_queries(self) -> None:
        """Whether these are answered nobody sees any more: they have not timed out."""
        for key, _ in list(self._programs.items("dns_queries")):
            self._programs.delete("dns_queries", key)

    def totals(self) -> Iterable[TotalsRow]:
        """Lookups, with those that timed out among their errors, and the time-outs."""
        for scope, count in self._timeouts.items():
            lookups = self._total(scope, "dns.lookup")
            yield replace(lookups, errors=lookups.errors + count)
            yield replace(self._total(scope, "dns.timeout"), count=count)

    def tables(self) -> Iterator[KeyedTable]:
        """Names, types, codes, servers, addresses, settings."""
        counted = self._counted_names()
        yield KeyedTable(
            record=DnsNames, rows={row.key: row for row in self._name_rows(counted)},
            ranks=(lambda row: row.lookups, lambda row: row.errors + row.timeouts, lambda row: row.total_ns),
        )  # fmt: skip
        yield KeyedTable(record=DnsEmpty, rows=self._empty_rows(counted), ranks=(lambda row: row.empty_aaaa,))
        yield KeyedTable(record=DnsTypes, rows=self._type_rows(), ranks=(lambda row: row.count,))
        yield KeyedTable(record=DnsCodes, rows=self._code_rows(), ranks=(lambda row: row.count,))
        yield KeyedTable(record=Resolvers, rows=self._resolver_rows(), ranks=(lambda row: row.lookups,))
        yield KeyedTable(record=AddressNames, rows=dict(self._addresses), ranks=(self._newness,))
        yield KeyedTable(record=ResolverSettings, rows=self._settings_rows(), ranks=(lambda row: row.ndots,))

    def _newness(self, row: AddressNameRow) -> int:
        return self._given[row.scope, row.address]

    def _query(self, key: bytes, value: bytes) -> Query:
        what, found = self._query_key.fields(key), self._layouts["dns_queries"].fields(value)
        return Query(
            socket=what["socket"],
            name=(found["scope"], what["name_hash"]),
            resolver=(found["scope"], *_endpoint(found["resolver"])),
            first_ns=found["first_ns"],
            last_ns=found["last_ns"],
            pid=found["pid"],
            node_pid=found["node_pid"],
            comm=name_in(found["comm"]),
        )

    def _without_socket(self, queries: dict[bytes, Query], before_ns: int) -> set[bytes]:
        """The lookups, begun before a moment, whose socket no process of the target has open any more."""
        waiting = {key: query for key, query in queries.items() if query.first_ns < before_ns and query.node_pid}
        waiting = {key: query for key, query in waiting.items() if key not in self._timed_out}
        proc = self._context.host.proc
        held = {pid: sockets_of(pid, proc) for pid in {query.node_pid for query in waiting.values()}}
        gone = {key: query for key, query in waiting.items() if query.socket not in held[query.node_pid]}
        if not gone:
            return set()
        # One that a process shares, or has handed over, is in use by another one.
        others = {socket for pid in self._context.target.members() for socket in sockets_of(pid, proc)}
        return {key for key, query in gone.items() if query.socket not in others}

    def _count(self, query: Query, duration_ns: int) -> None:
        self._timeouts[query.name[0]] += 1
        self._timeouts_of_name[query.name] += 1
        self._timeouts_of_resolver[query.resolver] += 1
        _, address, port = query.resolver
        self._context.emit_event(
            Event(
                scope=query.name[0], operation="dns.timeout", pid=query.pid, node_pid=query.node_pid, comm=query.comm,
                start_ns=query.first_ns, duration_ns=duration_ns, errno=0, signal=0, result=0, slow=False,
                name=self._names.get(query.name, ""), address=address, port=port,
            )
        )  # fmt: skip

    def _total(self, scope: int, operation: str) -> TotalsRow:
        return totals_row(self._programs, scope, operation_index(operation))

    def _record(self, data: bytes) -> dict[str, Any]:
        layout = self._layouts["dns_scratch"]
        return layout.fields(data.ljust(layout.size, b"\0"))

    def _take_name(self, data: bytes) -> None:
        record = self._record(data)
        scope = record["scope"]
        if record["node_pid"] and scope not in self._askers:
            self._settings.want(scope, [record["node_pid"]])
            self._askers[scope] = record["node_pid"]
        self._names[scope, record["name_hash"]] = name_text(record["bytes"][: record["length"]])

    def _take_answer(self, data: bytes) -> None:
        record = self._record(data)
        name = self._names.get((record["scope"], record["name_hash"]))
        if name is None:
            return
        self._answers += 1
        for address in addresses(record["bytes"][: record["length"]]):
            key = (record["scope"], address)
            self._addresses.pop(key, None)
            self._addresses[key] = AddressNameRow(scope=record["scope"], address=address, name=name)
            self._given[key] = self._answers
            if len(self._addresses) > MAX_ADDRESSES:
                oldest = next(iter(self._addresses))
                del self._addresses[oldest], self._given[oldest]

    def _counted_names(self) -> dict[NameKey, dict[str, int]]:
        """What the programs counted of each name."""
        layout, found = self._layouts["dns_names"], {}
        for key, values in self._programs.items("dns_names"):
            name_hash, scope = struct.unpack("=QQ", key)
            found[scope, name_hash] = merged([layout.fields(value) for value in values])
        return found

    def _number(self, name: NameKey) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def _name_rows(self, counted: Mapping[NameKey, Mapping[str, int]]) -> Iterator[DnsNameRow]:
        for name, counters in counted.items():
            yield DnsNameRow(
                scope=name[0],
                key=self._number(name),
                name=self._names.get(name, NAME_UNKNOWN),
                timeouts=self._timeouts_of_name[name],
                **{field: counters[field] for field in _NAME_COUNTERS},
            )

    def _empty_rows(self, counted: Mapping[NameKey, Mapping[str, int]]) -> dict[int, DnsEmptyRow]:
        rows = (
            DnsEmptyRow(scope=name[0], key=self._number(name), empty_aaaa=counters["empty_aaaa"])
            for name, counters in counted.items()
        )
        return {row.key: row for row in rows if row.empty_aaaa}

    def _settings_rows(self) -> dict[int, ResolverSettingsRow]:
        return {
            scope: ResolverSettingsRow(scope=scope, search=" ".join(found.search), ndots=found.ndots)
            for scope, found in self._settings.found().items()
        }

    def _type_rows(self) -> dict[bytes, DnsTypeRow]:
        rows = {}
        for key, values in self._programs.items("dns_types"):
            scope, query_type = struct.unpack("=II", key)
            rows[key] = DnsTypeRow(scope=scope, query_type=query_type, count=number_in(values))
        return rows

    def _code_rows(self) -> dict[int, DnsCodeRow]:
        rows = {}
        for index in range(MAX_SCOPES * CODES):
            count = number_in(self._programs.values("dns_codes", index))
            if count:
                rows[index] = DnsCodeRow(scope=index // CODES, code=index % CODES, count=count)
        return rows

    def _resolver_rows(self) -> dict[ResolverKey, ResolverRow]:
        histograms = {key: values[0] for key, values in self._programs.items("resolver_histograms")}
        rows = {}
        for key, values in self._programs.items("resolvers"):
            resolver = (int.from_bytes(key[:4], "little"), *_endpoint(key[4:]))
            rows[resolver] = ResolverRow(
                scope=resolver[0],
                address=resolver[1],
                port=resolver[2],
                timeouts=self._timeouts_of_resolver[resolver],
                buckets=filled_buckets(histograms.get(key, b"")),
                **merged([self._layouts["resolvers"].fields(value) for value in values]),
            )
        return rows


_NAME_COUNTERS: Final = ("lookups", "answers", "errors", "nxdomain", "total_ns", "max_ns")


def _endpoint(raw: bytes) -> tuple[str, int]:
    """Address and port of the programs' struct address."""
    family, port, data = _ADDRESS.unpack(raw)
    return address_text(family, data), port
