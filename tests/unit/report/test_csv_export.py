"""The table holds everything that the JSON export holds, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render.csv_export import COLUMNS, CsvRenderer
from kubectl_podtrace.report.render.json_export import plain_object
from kubectl_podtrace.report.text import spreadsheet
from kubectl_podtrace.report.writer import Output, Page, write_report
from tests.unit.every_kind import every_kind_stream
from tests.unit.report.reports import REPORTS, report_of, typical

FORMULA_STARTS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")


def table_of(report: Report) -> list[list[str]]:
    out = io.StringIO(newline="")
    CsvRenderer().render(report, out)
    return list(csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True))


def leaves(value: Any) -> Iterator[Any]:
    """Whatever a JSON object holds at its ends."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield value


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return json.dumps(value)
    return spreadsheet(value) if isinstance(value, str) else str(value)


def value_of(rows: list[list[str]], *place: str) -> tuple[str, str]:
    (found,) = [(row[4], row[5]) for row in rows if tuple(row[:4]) == place]
    return found


@pytest.mark.parametrize("name", REPORTS)
def test_every_value_of_the_json_export_is_in_the_table(name: str) -> None:
    report = REPORTS[name]()
    header, *rows = table_of(report)
    assert tuple(header) == COLUMNS
    assert {len(row) for row in rows} == {len(COLUMNS)}
    body = plain_object(report)
    left_out = {key for key, value in body.items() if value is None}
    expected = sorted(as_text(leaf) for key, value in body.items() if key not in left_out for leaf in leaves(value))
    found = sorted(row[4] for row in rows if row[3] != "measured" and row[0] not in left_out)
    assert found == expected
    assert {row[0] for row in rows} <= body.keys()


@pytest.mark.parametrize("name", REPORTS)
def test_no_two_rows_have_the_same_place(name: str) -> None:
    places = [tuple(row[:4]) for row in table_of(REPORTS[name]())]
    assert len(places) == len(set(places))


def test_rows_say_where_a_value_stands_and_in_which_unit() -> None:
    rows = table_of(typical())
    assert value_of(rows, "summary", "", "", "events") == ("30211", "count")
    assert value_of(rows, "tcp", "", "", "measured") == ("true", "")
    assert value_of(rows, "kubernetes_events", "", "", "measured") == ("false", "")
    assert value_of(rows, "tcp", "send.latency", "", "max_ns") == ("74026", "ns")
    assert value_of(rows, "tcp", "rtt", "", "threshold_ns") == ("100000000", "ns")
    assert value_of(rows, "connections", "errors", "ECONNREFUSED", "count") == ("201", "count")
    assert value_of(rows, "connections", "top_targets.1", "10.96.12.7:5432", "count") == ("1800", "count")
    assert value_of(rows, "connections", "top_targets.1", "10.96.12.7:5432", "port") == ("5432", "")
    assert value_of(rows, "files", "top_files.1", "/var/lib/shop/orders.db", "bytes") == ("4000000", "bytes")
    assert value_of(rows, "timeline", "windows.1", "", "start") == ("2026-01-01T00:00:00.000000Z", "time")
    assert value_of(rows, "tcp", "", "", "throughput_bytes_per_s")[1] == "bytes/s"
    assert value_of(rows, "connections", "", "", "failed_ratio")[1] == "ratio"
    assert value_of(rows, "network_io", "", "", "average_ops_per_s")[1] == "1/s"
    assert ["descriptor-leak", "severity", "critical", ""] in [row[2:] for row in rows if row[0] == "findings"]


def test_a_section_that_was_not_measured_is_a_row_without_numbers() -> None:
    rows = [row for row in table_of(REPORTS["truncated"]()) if row[0] == "connections"]
    assert rows == [["connections", "", "", "measured", "false", ""]]


def test_a_report_of_nothing_and_of_every_kind_of_record_is_a_table() -> None:
    for stream in (every_kind_stream().fold(), every_kind_stream().fold().__class__()):
        assert len(table_of(report_of(stream))) > len(COLUMNS)


@given(text=st.text() | st.builds("".join, st.lists(st.sampled_from([*FORMULA_STARTS, ";", " ", '"', "'", ",", "a"]))))
def test_no_text_begins_a_formula(text: str) -> None:
    cell = spreadsheet(text)
    for part in cell.split(";"):
        assert not part.lstrip(' "').startswith(FORMULA_STARTS)
    assert cell.isprintable()
    out = io.StringIO(newline="")
    csv.writer(out).writerow([cell, "end"])
    assert list(csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True)) == [[cell, "end"]]


def test_hostile_names_stay_in_their_cells() -> None:
    for row in table_of(REPORTS["hostile"]()):
        for column in (row[2], row[4]):
            is_number = column.lstrip("-").replace(".", "").isdigit()
            assert is_number or not column.startswith(FORMULA_STARTS)
            assert column.isprintable()


def test_lines_of_a_file_end_as_rfc_4180_says(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    write_report(typical(), Output(format="csv", path=path), stdout=io.StringIO(), page=Page())
    lines = path.read_bytes().split(b"\n")
    assert lines[0] == b"section,key,name,metric,value,unit\r"
    assert all(line.endswith(b"\r") for line in lines[:-1])
    assert lines[-1] == b""
