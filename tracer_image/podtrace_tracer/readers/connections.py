"""connections: the targets of connections that carried one request each."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kubectl_podtrace.wire.connection_records import OneShotRow, OneShots
from podtrace_tracer.addresses import address_text
from podtrace_tracer.programs.map_values import merged
from podtrace_tracer.readers.model import KeyedTable, TopicReader, TraceContext


class ConnectionReader(TopicReader):
    """Reads of the table of targets what stands in no row of its own."""

    def __init__(self, context: TraceContext) -> None:
        self._programs = context.programs
        self._layout = self._programs.value_layout("targets")

    def tables(self) -> Iterator[KeyedTable]:
        """Targets that were connected to for one request at a time."""
        rows = {}
        for key, values in self._programs.items("targets"):
            counters = merged([self._layout.fields(value) for value in values])
            if counters["one_shots"]:
                scope, family, port = struct.unpack_from("=IHH", key)
                rows[key] = OneShotRow(
                    scope=scope,
                    address=address_text(family, key[8:24]),
                    port=port,
                    connections=counters["one_shots"],
                    handshake_ns=counters["one_shot_ns"],
                )
        yield KeyedTable(record=OneShots, rows=rows, ranks=(lambda row: row.connections, lambda row: row.handshake_ns))
