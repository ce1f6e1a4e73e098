"""Single events as a table: kept aside while the trace runs, written when it is known whose they are."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.errno_names import errno_name, signal_name
from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.errors import OutputError
from kubectl_podtrace.report.target import TracedContainers
from kubectl_podtrace.report.text import plain, spreadsheet
from kubectl_podtrace.report.writer import Output, check_writable, replacing
from kubectl_podtrace.wire.records import Event

COLUMNS: Final = (
    "time", "operation", "container", "pid", "node_pid", "comm", "duration_ns", "error", "signal", "result", "slow",
    "name", "address", "port", "count",
)  # fmt: skip
SUPPRESSED: Final = "(suppressed)"
"""The operation of the last row, whose count is how many events were kept back."""
_IN_MEMORY_BYTES: Final = 1024 * 1024
_FIELDS: Final = tuple(field.name for field in fields(Event))


class EventsCsv:
    """The events of one trace on their way into a file. Raises OutputError now for what would fail after the trace."""

    def __init__(self, path: Path) -> None:
        check_writable(Output(path=path))
        self._path = path
        # Without a name from the start, so that nothing is left of it whatever happens.
        self._kept = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 closed by `close`
        self._why_not = ""

    def add(self, event: Event, realtime_offset_ns: int) -> None:
        """Keeps an event; wall-clock time is monotonic time plus this offset."""
        if self._why_not:
            return
        try:
            self._kept.write(json.dumps([realtime_offset_ns, *astuple(event)]).encode("ascii") + b"\n")
        except OSError as error:
            # The trace and its report are worth more than this table.
            self._why_not = f"the events cannot be kept in {tempfile.gettempdir()}: {error.strerror}"

    def write(self, fold: Fold, containers: TracedContainers) -> None:
        """Writes the events of the containers that the report is about; raises OutputError. All or nothing appears."""
        if self._why_not:
            raise OutputError(f"cannot write {plain(str(self._path))}: {self._why_not}")
        with replacing(self._path) as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(self._rows(containers))
            writer.writerow(_last_row(fold))

    def close(self) -> None:
        """Lets go of what was kept."""
        self._kept.close()

    def _rows(self, containers: TracedContainers) -> Iterator[tuple[object, ...]]:
        self._kept.seek(0)
        for line in self._kept:
            offset_ns, *values = json.loads(line)
            event = Event(**dict(zip(_FIELDS, values, strict=True)))
            if containers.scopes is None or event.scope in containers.scopes:
                yield _row(event, offset_ns, containers.name_of(event.scope))


def _row(event: Event, offset_ns: int, container: str) -> tuple[object, ...]:
    has_failed = event.errno or event.operation == "connections.failure"
    return (
        units.rfc3339_ns(event.start_ns + offset_ns),
        event.operation,
        spreadsheet(container),
        event.pid,
        event.node_pid,
        spreadsheet(event.comm),
        event.duration_ns,
        errno_name(event.errno) if has_failed else "",
        signal_name(event.signal) if event.signal else "",
        event.result,
        "true" if event.slow else "false",
        spreadsheet(event.name),
        spreadsheet(event.address),
        event.port if event.address else "",
        1,
    )


def _last_row(fold: Fold) -> tuple[object, ...]:
    """How many events were kept back, by operation, in all containers; and what else is not in the table."""
    heartbeat, offset_ns = fold.heartbeat, fold.header.realtime_offset_ns if fold.header else 0
    kept_back = {row.operation: row.count for row in heartbeat.suppressed if row.count} if heartbeat else {}
    remarks = [f"{operation} {count}" for operation, count in sorted(kept_back.items())]
    missing = sum(gap.lines for gap in fold.gaps)
    if missing:
        remarks.append(f"{missing} lines of the stream missing")
    lost = sum(row.count for row in heartbeat.lost) if heartbeat else 0
    if lost:
        remarks.append(f"{lost} lost in the kernel")
    empty = ("",) * (len(COLUMNS) - 4)
    return (
        units.rfc3339_ns(fold.ended_ns + offset_ns), SUPPRESSED, *empty[:9], ", ".join(remarks), "", "",
        sum(kept_back.values()),
    )  # fmt: skip
