"""When a report may call itself complete, and what it says when it may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kubectl_podtrace.analysis.trust import BYPASSING, Trust, trust
from kubectl_podtrace.wire.records import LostRow, SuppressedRow, TableRow, Totals
from kubectl_podtrace.wire.topics import BYPASSES
from tests.unit.shop import shop_stream
from tests.unit.streams import HEADER, LOSSES, Stream, folded, probe, scope, totals_row


def notes(found: Trust) -> str:
    return "\n".join(found.notes)


def test_a_whole_stream_is_complete() -> None:
    found = trust(shop_stream().fold())
    assert found.complete
    assert not found.truncated
    assert found.notes == ()


def test_a_stream_without_its_trailer_is_truncated_and_dated() -> None:
    found = trust(shop_stream(trailer=False).fold())
    assert (found.complete, found.truncated) == (False, True)
    assert "without its trailer: numbers are as of 2026-01-01 00:00:29 UTC" in notes(found)


def test_an_empty_stream_says_that_there_was_no_header() -> None:
    found = trust(folded([]))
    assert (found.complete, found.truncated) == (False, True)
    assert "no header" in notes(found)


def test_a_gap_in_the_middle_leaves_the_report_complete_and_says_what_it_costs() -> None:
    stream = shop_stream()
    found = trust(folded(stream.lines[:21] + stream.lines[26:]))
    assert found.complete
    assert [(gap.lines, gap.at.second) for gap in found.gaps] == [(5, 4)]
    (remark,) = found.remarks
    assert remark.startswith("5 lines did not arrive: totals are cumulative and not touched")


@pytest.mark.parametrize(
    ("is_missing", "expected"),
    [
        (lambda data: b'"histogram"' in data, "percentiles of 17 operations lack durations"),
        (lambda data: b'"errors"' in data, "errors of 3 operations are counted, but not all by name"),
    ],
)
def test_what_is_missing_of_the_final_snapshot_is_named(is_missing: Callable[[bytes], bool], expected: str) -> None:
    lines = [data for data in shop_stream().lines if not is_missing(data)]
    found = trust(folded(lines))
    assert not found.complete
    assert expected in notes(found)


def test_a_gap_after_the_detach_keeps_lists_from_being_complete() -> None:
    stream = Stream()
    stream.beat(1)
    stream.beat(3)
    stream.beat(3.1)
    stream.end(2)
    assert trust(stream.fold()).complete
    found = trust(folded([*stream.lines[:4], *stream.lines[5:]]))
    assert not found.complete
    assert "1 line of the final snapshot did not arrive" in notes(found)


def test_totals_that_are_behind_the_trailer_are_told() -> None:
    stream = shop_stream()
    behind = [data for data in stream.lines if b'"kind":"totals"' not in data]
    found = trust(folded([*behind]))
    assert not found.complete
    assert "the trailer counts 44 operations differently: their last lines did not arrive" in notes(found)


def test_lines_before_the_header_are_told_and_cost_no_total() -> None:
    lines = shop_stream().lines
    header, scope_line = lines[1], lines[2]
    found = trust(folded([scope_line, header, *lines[2:]]))
    assert found.remarks[-1] == (
        "1 line came before the header and went unread: what they counted is counted again by later ones"
    )
    assert trust(shop_stream().fold()).remarks == ()


def test_losses_are_added_up_and_told_by_source() -> None:
    stream = Stream()
    stream.beat(
        1,
        lost=(*LOSSES, LostRow(source="errors table", topic="tcp", count=3)),
        dropped=(LostRow(source="stream budget", topic="files", count=5),),
        suppressed=(SuppressedRow(operation="files.open", count=11), SuppressedRow(operation="files.read", count=0)),
        tables=(TableRow(table="files", keys=10, capacity=10, unlisted=4),),
    )
    stream.end(2)
    found = trust(stream.fold())
    assert (found.lost, found.dropped) == (20, 5)
    assert [(loss.source, loss.topic, loss.count) for loss in found.lost_by] == [
        ("events ring buffer", "files", 17),
        ("errors table", "tcp", 3),
    ]
    assert found.suppressed == {"files.open": 11}
    assert found.tables[0].unlisted == 4


def bypassing_stream(*topics: str) -> Stream:
    """503 transfers in one container and 13 in another, 7 closes."""
    stream = Stream(replace(HEADER, topics=topics))
    stream.add(scope(), scope(1, container_id="cd" * 32))
    rows = (
        totals_row("io_uring.transfer", count=503),
        totals_row("io_uring.transfer", scope=1, count=13),
        totals_row("io_uring.close", count=7),
    )
    stream.add(Totals(rows=rows))
    stream.end(1)
    return stream


def test_what_went_through_io_uring_is_told_with_the_topics_that_lack_it_and_is_no_loss() -> None:
    found = trust(bypassing_stream("tcp", "files").fold())
    assert (found.complete, found.lost, found.dropped) == (True, 0, 0)
    (bypass,) = found.bypassed
    assert (bypass.operation, bypass.topics, bypass.count) == ("io_uring.transfer", ("files", "tcp"), 516)
    assert bypass.what == "reads and writes through io_uring"


def test_what_went_through_io_uring_is_told_of_the_containers_that_are_looked_at() -> None:
    found = trust(bypassing_stream("files", "descriptors").fold(), frozenset({1}))
    assert [(bypass.operation, bypass.count) for bypass in found.bypassed] == [("io_uring.transfer", 13)]
    assert trust(bypassing_stream("processes").fold()).bypassed == ()


def test_everything_that_bypasses_has_its_words() -> None:
    assert set(BYPASSING) == set(BYPASSES)


def test_absent_probes_are_listed_with_what_they_cost() -> None:
    stream = Stream()
    stream.add(probe("raw_tracepoint:tcp_retransmit_skb", "tcp", attached=False, required=False))
    stream.end(1)
    (found,) = trust(stream.fold()).probes
    assert not found.attached
    assert found.costs == "retransmits are not counted"


def test_noise_and_rows_that_contradict_are_counted() -> None:
    stream = shop_stream()
    found = trust(folded([*stream.lines[:5], b"Segmentation fault\n", *stream.lines[5:]]))
    assert found.noise_lines == 1
    assert found.complete
