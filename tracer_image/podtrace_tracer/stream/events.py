"""Records of the ring buffer: single operations for the stream, and paths for the tables."""

from __future__ import annotations

from typing import Any, Final

from kubectl_podtrace.wire.records import Event
from podtrace_tracer.addresses import address_text
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.programs.map_values import name_in
from podtrace_tracer.programs.program import ORDERED_OPERATIONS, RING_BYTES
from podtrace_tracer.readers.dns_message import name_text
from podtrace_tracer.readers.model import Takers
from podtrace_tracer.readers.paths import UNKNOWN, Paths
from podtrace_tracer.stream.emit import Emitter

RECORD_EVENT, RECORD_PATH = 1, 2  # RECORD_ constants of include/events.bpf.h
_NO_FILE: Final = bytes(32)


class Events:
    """Empties the ring: learns paths, emits events; all of them unless they are `limited`."""

    def __init__(self, programs: Programs, emitter: Emitter, paths: Paths, *, limited: bool, takers: Takers) -> None:
        """`takers`: who wants the records of further kinds, by their number; those of paths are added."""
        self._programs = programs
        self._limited = limited
        self._emitter = emitter
        self._paths = paths
        self._takers = takers
        self._takers[RECORD_PATH] = self._learn
        self._event = programs.value_layout("event_scratch")
        self._path = programs.value_layout("path_scratch") if programs.has("path_scratch") else None

    def drain(self) -> None:
        """Reads what is there. A slow operation's path comes behind the event itself, so events wait for the end."""
        waiting: list[dict[str, Any]] = []
        for record in self._programs.ring_records(RING_BYTES):
            if record.kind == RECORD_EVENT:
                waiting.append(self._event.fields(record.data))
            elif record.kind in self._takers:
                self._takers[record.kind](record.data)
        for fields in waiting:
            self.emit(self._of_fields(fields))

    def emit(self, event: Event) -> None:
        """Emits a single event, unless this second's room for its kind is used up."""
        if self._limited:
            self._emitter.emit_event(event)
        else:
            self._emitter.emit(event)

    def _learn(self, data: bytes) -> None:
        assert self._path is not None  # a path record exists only with its map
        fields = self._path.fields(data.ljust(self._path.size, b"\0"))
        self._paths.learn(fields["file"], fields["names"][: fields["length"]], fields["flags"])

    def _of_fields(self, fields: dict[str, Any]) -> Event:
        operation = ORDERED_OPERATIONS[fields["operation"]]
        name = name_text(fields["text"]) if operation.topic == "dns" else name_in(fields["text"])
        if not name and fields["file"][:32] != _NO_FILE:
            path = self._paths.path(fields["file"])
            name = "" if path == UNKNOWN else path
        return Event(
            scope=fields["scope"],
            operation=operation.full_name,
            pid=fields["pid"],
            node_pid=fields["node_pid"],
            comm=name_in(fields["comm"]),
            start_ns=fields["start_ns"],
            duration_ns=fields["duration_ns"],
            errno=fields["error"],
            signal=fields["signal"],
            result=fields["result"],
            slow=bool(fields["slow"]),
            name=name,
            address=address_text(fields["family"], fields["address"]) if fields["family"] else "",
            port=fields["port"],
        )
