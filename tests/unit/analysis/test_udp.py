"""UDP's numbers, against what was put into the stream."""

from __future__ import annotations

import pytest

from kubectl_podtrace.analysis.udp import udp
from kubectl_podtrace.wire.records import Errors, Totals
from tests.unit.analysis.selections import selection_of
from tests.unit.streams import Stream, error_rows, timed, totals_row


def test_udp_counts_bytes_errors_and_drops_are_exact() -> None:
    stream = Stream()
    send, send_buckets = timed("udp.send", [5_000] * 83, bytes=8_300, max_bytes=512, errors=7)
    receive, receive_buckets = timed("udp.receive", [90_000] * 61, bytes=61_000, max_bytes=4_096, would_block=5)
    stream.add(Totals(rows=(send, receive, totals_row("udp.drop", count=3))), send_buckets, receive_buckets)
    stream.add(Errors(rows=error_rows("udp.send", {111: 6, 90: 1})))
    stream.end(10)
    section = udp(selection_of(stream.fold()))
    assert (section.send.count, section.receive.count, section.drops) == (83, 61, 3)
    assert (section.send.bytes, section.receive.bytes, section.peak_bytes_per_op) == (8_300, 61_000, 4_096)
    assert section.send.errors == {"ECONNREFUSED": 6, "EMSGSIZE": 1}
    assert section.receive.would_block == 5
    assert section.error_ratio == pytest.approx(7 / 144)
    assert section.throughput_bytes_per_s == pytest.approx(6_930)
    assert (section.send.latency.count, section.receive.latency.avg_ns) == (83, 90_000)


def test_no_datagram_is_no_division_by_zero() -> None:
    section = udp(selection_of(Stream().fold()))
    assert (section.error_ratio, section.throughput_bytes_per_s, section.peak_bytes_per_op) == (0, 0, 0)
