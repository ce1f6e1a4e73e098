"""Every single event of the stream is a line of the table, once, and nothing else is left in its directory."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.errors import OutputError
from kubectl_podtrace.report.events_csv import COLUMNS, SUPPRESSED, EventsCsv
from kubectl_podtrace.report.target import TargetInfo, TracedContainers
from kubectl_podtrace.report.writer import replacing
from kubectl_podtrace.wire.records import Event, LostRow, SuppressedRow
from tests.unit.report.reports import API, HOSTILE
from tests.unit.streams import HEADER, OFFSET, SECOND, SIDECAR_ID, STARTED, Stream, process_end, scope


def event(**changes: Any) -> Event:
    plain = Event(
        scope=0, operation="files.open", pid=12, node_pid=40_012, comm="worker", start_ns=STARTED + 1,
        duration_ns=2_163, errno=2, signal=0, result=0, slow=False, name="/etc/app.conf", address="", port=0,
    )  # fmt: skip
    return replace(plain, **changes)


def stream_of(*events: Event) -> Stream:
    stream = Stream()
    stream.add(scope(), scope(1, SIDECAR_ID), *events)
    return stream


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.csv"


@pytest.fixture
def table(path: Path) -> Iterator[EventsCsv]:
    events = EventsCsv(path)
    yield events
    events.close()


def fold_into(table: EventsCsv, lines: list[bytes]) -> Fold:
    fold = Fold(on_event=lambda found: table.add(found, fold.header.realtime_offset_ns if fold.header else 0))
    for line in lines:
        fold.feed(line)
    return fold


def write(table: EventsCsv, stream: Stream, target: TargetInfo = API) -> Fold:
    fold = fold_into(table, stream.lines)
    table.write(fold, TracedContainers(fold, target))
    return fold


def rows_in(path: Path) -> list[dict[str, str]]:
    header, *rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines(keepends=True), strict=True))
    assert tuple(header) == COLUMNS
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_an_event_has_its_time_to_the_nanosecond_and_its_container_by_name(table: EventsCsv, path: Path) -> None:
    write(table, stream_of(event()))
    found, _ = rows_in(path)
    assert found == {
        "time": "2026-01-01T00:00:00.000000001Z", "operation": "files.open", "container": "api", "pid": "12",
        "node_pid": "40012", "comm": "worker", "duration_ns": "2163", "error": "ENOENT", "signal": "", "result": "0",
        "slow": "false", "name": "/etc/app.conf", "address": "", "port": "", "count": "1",
    }  # fmt: skip


def test_signals_errors_and_addresses_have_their_names(table: EventsCsv, path: Path) -> None:
    refused = event(operation="connections.attempt", errno=111, address="10.0.0.7", port=5432, name="")
    given_up = event(operation="connections.failure", errno=0, address="fd00::17", port=80, name="")
    slow = event(operation="files.fsync", errno=0, slow=True)
    write(table, stream_of(process_end("sh", pid=9, at_s=1, signal=9), refused, given_up, slow))
    killed, *others, _ = rows_in(path)
    assert (killed["signal"], killed["error"]) == ("SIGKILL", "")
    assert [(row["error"], row["address"], row["port"], row["slow"]) for row in others] == [
        ("ECONNREFUSED", "10.0.0.7", "5432", "false"),
        ("ABORTED", "fd00::17", "80", "false"),
        ("", "", "", "true"),
    ]


def test_the_last_row_counts_what_was_kept_back_and_names_it(table: EventsCsv, path: Path) -> None:
    stream = stream_of(event())
    kept_back = (SuppressedRow(operation="tcp.send", count=3), SuppressedRow(operation="files.open", count=38))
    stream.beat(2, suppressed=kept_back)
    stream.end(30)
    write(table, stream)
    *_, last = rows_in(path)
    assert (last["operation"], last["count"], last["name"]) == (SUPPRESSED, "41", "files.open 38, tcp.send 3")
    assert last["time"] == "2026-01-01T00:00:30.000000000Z"


def test_the_last_row_is_there_when_nothing_was_kept_back(table: EventsCsv, path: Path) -> None:
    stream = stream_of()
    stream.end(30)
    write(table, stream)
    (last,) = rows_in(path)
    assert (last["operation"], last["count"], last["name"]) == (SUPPRESSED, "0", "")


def test_the_last_row_says_what_else_is_missing(table: EventsCsv, path: Path) -> None:
    stream = stream_of(event())
    for second in range(1, 9):
        stream.beat(second, lost=(LostRow(source="events: the ring buffer was full", topic="all", count=7),))
    fold = fold_into(table, [*stream.lines[:6], *stream.lines[9:]])
    table.write(fold, TracedContainers(fold, API))
    assert rows_in(path)[-1]["name"] == "3 lines of the stream missing, 7 lost in the kernel"


def test_only_the_containers_of_the_report_are_in_the_table(table: EventsCsv, path: Path) -> None:
    write(table, stream_of(event(), event(scope=1, comm="proxy")))
    assert [row["comm"] for row in rows_in(path)[:-1]] == ["worker"]


def test_all_containers_are_in_it_when_all_are_traced(table: EventsCsv, path: Path) -> None:
    everything = replace(API, selected=None)
    write(table, stream_of(event(), event(scope=1), event(scope=7)), everything)
    assert [row["container"] for row in rows_in(path)[:-1]] == ["api", SIDECAR_ID[:12], ""]


def test_a_line_that_comes_twice_is_one_event(table: EventsCsv, path: Path) -> None:
    lines = stream_of(event(), event(pid=13)).lines
    fold = fold_into(table, [*lines, *lines])
    table.write(fold, TracedContainers(fold, API))
    assert [row["pid"] for row in rows_in(path)[:-1]] == ["12", "13"]


def test_a_clock_that_is_set_meanwhile_dates_later_events_anew(table: EventsCsv, path: Path) -> None:
    stream = stream_of(event())
    stream.add(replace(HEADER, realtime_offset_ns=OFFSET + 3_600 * SECOND), event())
    write(table, stream)
    assert [datetime.fromisoformat(row["time"][:19]).hour for row in rows_in(path)[:-1]] == [0, 1]


def test_no_name_begins_a_formula(table: EventsCsv, path: Path) -> None:
    write(table, stream_of(event(comm="=cmd|x", name="+1"), event(comm="@a", name=HOSTILE)))
    rows = rows_in(path)[:-1]
    assert [(row["comm"], row["name"][:3]) for row in rows] == [("'=cmd|x", "'+1"), ("'@a", r"\x1")]
    assert all(cell.isprintable() for row in rows for cell in row.values())


def test_more_events_than_fit_into_memory_are_all_there(table: EventsCsv, path: Path) -> None:
    for number in range(20_000):
        table.add(event(pid=number), OFFSET)
    write(table, stream_of())
    assert [int(row["pid"]) for row in rows_in(path)[:-1]] == list(range(20_000))


def test_what_cannot_be_written_is_refused_before_the_trace(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its directory does not exist"):
        EventsCsv(tmp_path / "no" / "events.csv")


def test_a_table_that_cannot_be_finished_leaves_what_was_there(path: Path) -> None:
    path.write_text("before")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (path.read_text(), list(path.parent.iterdir())) == ("before", [path])


def test_a_directory_that_has_gone_meanwhile_is_an_error_in_words(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    events = EventsCsv(place / "events.csv")
    place.rmdir()
    with pytest.raises(OutputError, match="cannot write"):
        write(events, stream_of(event()))
    events.close()


def test_a_device_is_written_to_and_not_replaced() -> None:
    events = EventsCsv(Path("/dev/null"))
    write(events, stream_of(event()))
    events.close()
    assert Path("/dev/null").is_char_device()
