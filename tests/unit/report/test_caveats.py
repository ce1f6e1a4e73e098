"""What stands beside the numbers of a section: their own losses, and nobody else's."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from kubectl_podtrace.analysis.trust import TOPICS_OF_TABLES, TableUse
from kubectl_podtrace.report.build import ReportOptions, build_window
from kubectl_podtrace.report.document import Facts, Section
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render.live import LiveRenderer
from kubectl_podtrace.report.sections import document
from kubectl_podtrace.report.sections.caveats import unlisted
from kubectl_podtrace.wire.records import LostRow, TableRow, Totals
from podtrace_tracer.programs.program import LOST
from podtrace_tracer.readers.tables import _LOST_OF_TABLE
from tests.unit.report.reports import API, CLIENT, partial, report_of
from tests.unit.shop import shop_stream
from tests.unit.streams import CPU_SHED, Stream, folded, probe, scope, totals_row


def sections(report: Report) -> dict[str, Section]:
    """By the first words of their titles."""
    return {section.title.partition(" (")[0]: section for section in document(report)}


def above(section: Section) -> list[tuple[str, str]]:
    """The first labelled values of a section."""
    first = section.blocks[0]
    assert isinstance(first, Facts)
    return list(first.pairs)


@pytest.mark.parametrize(
    ("topic", "title"),
    [
        ("tcp", "TCP"), ("udp", "UDP"), ("connections", "Connections"), ("dns", "DNS"), ("files", "File system"),
        ("cpu", "CPU"), ("locks", "Locks"), ("processes", "Process activity"),
        ("descriptors", "Process and system call activity"),
        ("all", "Summary"),
    ],
)  # fmt: skip
def test_a_loss_stands_above_the_numbers_that_it_touches_and_in_no_other_section(topic: str, title: str) -> None:
    stream = shop_stream(trailer=False)
    stream.beat(
        29.97,
        lost=(LostRow(source="the table was full", topic=topic, count=11),),
        dropped=(LostRow(source="too long for a line", topic=topic, count=13),),
    )
    stream.end(30)
    found = sections(report_of(stream.fold()))
    assert above(found[title])[:2] == [
        ("lost", "11 in the kernel (the table was full)"),
        ("dropped", "13 by the tracer (too long for a line)"),
    ]
    others = {name for name, section in found.items() if "the table was full" in str(section)} - {title, "Trust"}
    assert others == set()


def test_an_absent_probe_and_what_bypassed_the_counting_stand_with_their_topic() -> None:
    stream = Stream()
    stream.add(scope(), probe("raw_tracepoint:tcp_retransmit_skb", "tcp", attached=False, required=False))
    stream.add(Totals(rows=(totals_row("io_uring.close", count=7), totals_row("tcp.send", count=1))))
    stream.end(1)
    found = sections(report_of(stream.fold()))
    assert above(found["TCP"])[0] == ("absent", "retransmits are not counted")
    assert above(found["Process and system call activity"])[0] == ("not counted", "7 closes through io_uring")
    assert above(found["Summary"])[0][0] == "target"


def test_long_waits_that_found_no_place_lack_their_stack_and_no_count() -> None:
    waits = TableUse(table="long_waits", topic="cpu", keys=0, capacity=8_192, unlisted=17)
    told = "17 waits of 1 ms and more: where they stood was seen too late, or had no place"
    assert unlisted(waits) == ("no stack", told)


def test_what_found_no_place_in_a_table_stands_with_the_lists_of_that_table() -> None:
    stream = shop_stream(trailer=False)
    full = TableRow(table="targets", keys=4_096, capacity=4_096, unlisted=17)
    stream.beat(29.97, tables=(full, replace(full, table="files", unlisted=0)))
    stream.end(30)
    found = sections(report_of(stream.fold()))
    assert above(found["Connections"])[0] == ("full table", "targets: 17 operations in (other) and the totals only")
    assert "full table" not in str(found["File system"])


def test_every_table_of_the_tracer_has_the_topic_whose_losses_it_counts() -> None:
    topics = {lost.name: lost.topic for lost in LOST}
    assert {name: topics[lost] for name, lost in _LOST_OF_TABLE.items()} == TOPICS_OF_TABLES


def test_gaps_are_dated_where_numbers_over_time_are_shown() -> None:
    lines = shop_stream().lines
    found = sections(report_of(folded([*lines[:21], *lines[26:]])))
    for title in ("Activity timeline", "Connection patterns", "Network I/O patterns"):
        assert above(found[title])[0] == ("gaps", "5 lines missing at 00:00:04 UTC: not told in time there")
    assert "gaps" not in str(found["TCP"])


def test_a_section_without_numbers_keeps_its_words_beside_what_it_lacks() -> None:
    stream = Stream()
    stream.add(scope(), CPU_SHED)
    stream.beat(1, lost=(LostRow(source="the table was full", topic="tcp", count=11),))
    stream.end(30)
    found = sections(report_of(stream.fold()))
    assert above(found["TCP"])[-1] == ("seen", "nothing was sent or received")


def test_titles_say_until_when() -> None:
    titles = [section.title for section in document(partial())]
    assert "TCP (partial: until 00:00:12 UTC)" in titles
    assert "CPU (partial: until 00:00:20 UTC)" in titles
    assert "Connections" in titles


def test_a_running_trace_says_at_once_what_is_not_counted_any_more() -> None:
    stream = shop_stream(trailer=False)
    stream.add(CPU_SHED, at_s=29.97)
    stream.beat(30)
    out = io.StringIO()
    live = build_window(stream.fold(), target=API, options=ReportOptions(), client=CLIENT)
    LiveRenderer(width=None, color=False).render(live, out)
    assert "partial" in out.getvalue()
    assert "from 00:00:20 UTC on switches, waits and the time on a CPU are not counted (cpu)" in out.getvalue()
