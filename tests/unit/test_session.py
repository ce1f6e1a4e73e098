from __future__ import annotations

from collections.abc import Iterator

import pytest

from kubectl_podtrace.analysis.fold import Fold
from kubectl_podtrace.errors import InterruptedRunError, PodtraceError, TracerRefusedError, TracerStartError
from kubectl_podtrace.session import Phase, Session
from kubectl_podtrace.wire.codec import Line, encode
from kubectl_podtrace.wire.records import Header, Heartbeat, Record, Refusal, Trailer
from kubectl_podtrace.wire.topics import TOPICS
from kubectl_podtrace.wire.version import WIRE_VERSION

HEARTBEAT = Heartbeat(
    lost=(), dropped=(), suppressed=(), tables=(), stream_bytes=0, cpu_ns=0, rss_bytes=0
)  # fmt: skip
TRAILER = Trailer(ended_ns=30, reason="stopped", heartbeat=HEARTBEAT, totals=())


def header(started_ns: int) -> Header:
    return Header(
        wire_version=WIRE_VERSION, tracer_version="1", node="", kernel="", machine="", bcc_version="", boot_id="",
        realtime_offset_ns=0, topics=TOPICS, fs_threshold_ns=1, rtt_threshold_ns=1, duration_ns=0, scope_mode="cgroup",
        started_ns=started_ns,
    )  # fmt: skip


class Lines:
    """A source of canned lines."""

    def __init__(self, *records: Record | bytes) -> None:
        self._records = records
        self.stops = 0

    def lines(self) -> Iterator[bytes]:
        for seq, record in enumerate(self._records, start=1):
            yield record if isinstance(record, bytes) else encode(Line(seq=seq, at_ns=seq, record=record)).rstrip(b"\n")

    def stop(self) -> None:
        self.stops += 1

    def close(self) -> None:
        pass


class Told:
    """What a session told."""

    def __init__(self, source: Lines) -> None:
        self.phases: list[Phase] = []
        self.updates = 0
        self.fold = Fold()
        self.session = Session(source=source, fold=self.fold, on_phase=self.phases.append, on_update=self._update)

    def _update(self) -> None:
        self.updates += 1


def test_each_phase_is_told_once_and_each_line_too() -> None:
    told = Told(Lines(header(0), header(0), header(20), HEARTBEAT, header(20), TRAILER))
    told.session.run()
    assert told.phases == [Phase.COMPILING, Phase.TRACING]
    assert told.updates == 6
    assert told.fold.trailer == TRAILER


def test_a_stream_without_a_trailer_is_reported_all_the_same() -> None:
    told = Told(Lines(header(20), HEARTBEAT, b'{"kind":"tota'))
    told.session.run()
    assert told.fold.trailer is None
    assert told.fold.noise_lines == 1


def test_a_refusal_is_an_error_in_the_tracer_s_words() -> None:
    with pytest.raises(TracerRefusedError) as refusal:
        Told(Lines(Refusal(slug="no-btf", text="no BTF", hint="newer kernel"))).session.run()
    assert (refusal.value.message, refusal.value.hint) == ("no BTF", "newer kernel")


@pytest.mark.parametrize(
    ("records", "said"),
    [((), "said nothing"), ((b"cat: no such file",), "none of its 1 lines"), ((header(0),), "before its probes")],
)
def test_a_stream_with_nothing_to_report_is_an_error(records: tuple[Record | bytes, ...], said: str) -> None:
    with pytest.raises(TracerStartError, match=said):
        Told(Lines(*records)).session.run()


def test_a_trace_that_the_user_stopped_before_it_began_is_an_interruption() -> None:
    source = Lines(header(0))
    told = Told(source)
    told.session.stop()
    with pytest.raises(InterruptedRunError) as interruption:
        told.session.run()
    assert source.stops == 1
    assert isinstance(interruption.value, PodtraceError)
    assert interruption.value.exit_code == 130
