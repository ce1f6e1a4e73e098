"""Records to stdout: numbered, dated, bounded. What does not fit on a line is dropped and counted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable

from kubectl_podtrace.wire.codec import Line, LineTooLongError, encode
from kubectl_podtrace.wire.records import Event, LostRow, Record, SuppressedRow
from kubectl_podtrace.wire.topics import EVERY_TOPIC
from podtrace_tracer.stream.event_room import EVENT_BYTES_PER_S, EventRoom


class ReaderGoneError(Exception):
    """Nobody reads the stream any more."""


class Emitter:
    """Writes records. `clock` gives CLOCK_MONOTONIC in ns, `write` takes bytes and says how many it took."""

    def __init__(self, clock: Callable[[], int], write: Callable[[bytes], int] | None = None) -> None:
        self._clock = clock
        self._write = write or (lambda data: os.write(1, data))
        self._sequence = 0
        self._too_long: Counter[str] = Counter()
        self._suppressed: Counter[str] = Counter()
        self._event_room = EventRoom()
        self.bytes = 0

    def emit(self, record: Record) -> int:
        """Writes one record and returns its length in bytes, 0 if it was too long for a line."""
        try:
            data = encode(Line(seq=self._sequence, at_ns=self._clock(), record=record))
        except LineTooLongError:
            self._too_long[type(record).__name__.lower()] += 1
            return 0
        self._sequence += 1
        self._write_all(data)
        return len(data)

    def emit_all(self, records: Iterable[Record]) -> int:
        """Writes several records; returns their length in bytes."""
        return sum(self.emit(record) for record in records)

    def emit_event(self, event: Event) -> None:
        """Writes a single event while this second's room for its kind lasts; counts it as suppressed beyond."""
        if self._event_room.has_place(event):
            self._event_room.take(event, self.emit(event))
        else:
            self._suppressed[event.operation] += 1

    def next_second(self, event_bytes: int = EVENT_BYTES_PER_S) -> None:
        """Gives events room again."""
        self._event_room.clear(event_bytes)

    def suppressed(self) -> Counter[str]:
        """Events kept back here, by operation."""
        return self._suppressed

    def dropped(self) -> tuple[LostRow, ...]:
        """Records that did not fit on a line."""
        return tuple(
            LostRow(source=f"{kind} records too long for a line", topic=EVERY_TOPIC, count=count)
            for kind, count in self._too_long.items()
        )

    def _write_all(self, data: bytes) -> None:
        self.bytes += len(data)
        while data:
            try:
                data = data[self._write(data) :]
            except BrokenPipeError as error:
                raise ReaderGoneError from error


def suppressed_rows(counts: Counter[str]) -> tuple[SuppressedRow, ...]:
    """Counts by operation as rows."""
    return tuple(SuppressedRow(operation=name, count=count) for name, count in sorted(counts.items()) if count)
