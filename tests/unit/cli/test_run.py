from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_podtrace.cli.flags import TraceOptions
from kubectl_podtrace.cli.parse import Format, Output
from kubectl_podtrace.cli.progress import Progress
from kubectl_podtrace.cli.run import Run
from kubectl_podtrace.errors import GateFailedError, OutputError
from kubectl_podtrace.report.gate.conditions import parse_condition
from kubectl_podtrace.wire.codec import Line, encode
from kubectl_podtrace.wire.records import Header, Heartbeat, Record, Trailer
from kubectl_podtrace.wire.topics import TOPICS
from kubectl_podtrace.wire.version import WIRE_VERSION

SECOND_NS = 10**9
HEARTBEAT = Heartbeat(lost=(), dropped=(), suppressed=(), tables=(), stream_bytes=0, cpu_ns=0, rss_bytes=0)
HEADER = Header(
    wire_version=WIRE_VERSION, tracer_version="1", node="", kernel="", machine="", bcc_version="", boot_id="",
    realtime_offset_ns=0, topics=TOPICS, fs_threshold_ns=1, rtt_threshold_ns=1, duration_ns=0, scope_mode="cgroup",
    started_ns=SECOND_NS,
)  # fmt: skip


class Seconds:
    """A source that says one line a second, for so many seconds, and the clock that shows them."""

    def __init__(self, count: int) -> None:
        self.now_ns = SECOND_NS
        trailer = Trailer(ended_ns=(count + 1) * SECOND_NS, reason="stopped", heartbeat=HEARTBEAT, totals=())
        self._records: list[Record] = [HEADER, *[HEARTBEAT] * count, trailer]

    def lines(self) -> Iterator[bytes]:
        for seq, record in enumerate(self._records, start=1):
            yield encode(Line(seq=seq, at_ns=self.now_ns, record=record)).rstrip(b"\n")
            self.now_ns += SECOND_NS

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass

    def clock(self) -> int:
        return self.now_ns


def options(*, duration_ns: int = 0, output: Output | None = None) -> TraceOptions:
    return TraceOptions(
        duration_ns=duration_ns,
        filters=(),
        error_threshold_percent=10.0,
        rtt_threshold_ns=1,
        fs_threshold_ns=1,
        max_overhead_ppm=50_000,
        output=output or Output(format=Format.TEXT),
    )


def gate_of(*texts: str, source: Seconds, path: Path) -> Run:
    """A run that has reported, with these conditions."""
    conditions = tuple(parse_condition(text) for text in texts)
    output = Output(format=Format.JSON, path=path)
    run = Run(options=replace(options(output=output, duration_ns=1), conditions=conditions), progress=progress(source))
    run.follow(source)
    run.report()
    return run


def progress(source: Seconds) -> Progress:
    return Progress(out=sys.stderr, clock=source.clock)


def blocks(run: Run, source: Seconds, capsys: pytest.CaptureFixture[str]) -> int:
    """How many windows were shown before the report."""
    run.follow(source)
    return capsys.readouterr().out.count(": last ")


def test_a_live_trace_shows_a_window_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    source = Seconds(16)
    assert blocks(Run(options=options(), progress=progress(source)), source, capsys) == 3


def test_a_trace_of_known_length_shows_none(capsys: pytest.CaptureFixture[str]) -> None:
    source = Seconds(16)
    run = Run(options=options(duration_ns=16 * SECOND_NS), progress=progress(source))
    assert blocks(run, source, capsys) == 0


def test_what_a_program_reads_from_stdout_is_the_report_alone(capsys: pytest.CaptureFixture[str]) -> None:
    source = Seconds(16)
    run = Run(options=options(output=Output(format=Format.JSON)), progress=progress(source))
    run.follow(source)
    run.report()
    assert json.loads(capsys.readouterr().out)["trust"]["complete"] is True


def test_windows_are_shown_beside_a_report_that_goes_to_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = Seconds(6)
    run = Run(
        options=options(output=Output(format=Format.JSON, path=tmp_path / "report.json")), progress=progress(source)
    )
    assert blocks(run, source, capsys) == 1
    run.report()
    assert json.loads((tmp_path / "report.json").read_text())["tool"]["tracer_version"] == "1"
    assert capsys.readouterr().out == ""


def test_beside_a_command_stdout_is_the_command_s(capsys: pytest.CaptureFixture[str]) -> None:
    source = Seconds(16)
    assert blocks(Run(options=options(), beside_command=True, progress=progress(source)), source, capsys) == 0


def test_a_signal_before_the_trace_ends_the_run_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        Run(options=options(), progress=progress(Seconds(1))).stop()


def test_a_page_that_could_not_be_filed_is_shown_as_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = tmp_path / "gone"
    place.mkdir()
    source = Seconds(1)
    output = Output(format=Format.HTML, path=place / "report.html")
    run = Run(options=options(output=output, duration_ns=1), progress=progress(source))
    run.follow(source)
    place.rmdir()
    with pytest.raises(OutputError):
        run.report()
    assert capsys.readouterr().out.startswith("verdict")


def test_what_the_plugin_remarked_is_in_the_report_and_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    source = Seconds(1)
    run = Run(options=options(output=Output(format=Format.JSON)), progress=progress(source))
    run.notice("one container of three")
    run.follow(source)
    run.report()
    shown = capsys.readouterr()
    assert "note: one container of three" in shown.err
    assert {"slug": "plugin", "text": "one container of three"} in json.loads(shown.out)["notices"]


def test_a_run_without_a_gate_has_the_exit_code_that_it_would_have() -> None:
    run = Run(options=options(), progress=progress(Seconds(1)))
    assert (run.exit_code(), run.exit_code(7)) == (0, 7)


def test_a_gate_is_in_the_report_and_decides_on_the_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = gate_of("summary.duration < 60s", "summary.duration > 60s", source=Seconds(16), path=tmp_path / "r.json")
    with pytest.raises(GateFailedError):
        run.exit_code()
    results = [each["result"] for each in json.loads((tmp_path / "r.json").read_text())["gate"]["conditions"]]
    assert results == ["failed", "not_judged"]
    assert "gate: failed: summary.duration < 60s: found 16.0 s" in capsys.readouterr().err
