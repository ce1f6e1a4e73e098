"""Files appear whole or not at all; stdout takes what it can."""

from __future__ import annotations

import io
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubectl_podtrace.errors import OutputError
from kubectl_podtrace.report.render.html.assets import assets
from kubectl_podtrace.report.writer import Output, Page, check_writable, page_of, write_report, write_text
from tests.unit.report.reports import silent, typical

PIPE = Page()
is_root = os.geteuid() == 0


def test_the_terminal_report_goes_to_stdout_by_default() -> None:
    out = io.StringIO()
    write_report(silent(), Output(), stdout=out, page=PIPE)
    assert out.getvalue().startswith("verdict  no events")
    assert "\x1b" not in out.getvalue()


def test_a_file_holds_the_whole_report_and_stdout_nothing(tmp_path: Path) -> None:
    out, path = io.StringIO(), tmp_path / "report.json"
    write_report(typical(), Output(format="json", path=path), stdout=out, page=Page(width=80, color=True))
    assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == 1
    assert out.getvalue() == ""
    assert list(tmp_path.iterdir()) == [path]


def test_a_text_file_has_no_colours_even_when_the_screen_has(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    write_report(typical(), Output(path=path), stdout=io.StringIO(), page=Page(width=80, color=True))
    assert "\x1b" not in path.read_text(encoding="utf-8")


def test_a_file_that_is_replaced_keeps_its_mode_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old.md", tmp_path / "new.md"
    old.write_text("before")
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        for path in (old, new):
            write_report(silent(), Output(format="markdown", path=path), stdout=io.StringIO(), page=PIPE)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (old, new)] == [0o640, 0o640]
    assert old.read_text(encoding="utf-8").startswith("# Trace of `shop/api-0`")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    write_report(silent(), Output(format="json", path=link), stdout=io.StringIO(), page=PIPE)
    assert link.is_symlink()
    assert real.is_file()


def test_a_named_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    with ThreadPoolExecutor(max_workers=1) as readers:
        reader = readers.submit(path.read_text, encoding="utf-8")
        write_report(silent(), Output(format="json", path=path), stdout=io.StringIO(), page=PIPE)
        assert json.loads(reader.result(timeout=30))["schema_version"] == 1
    assert path.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
def test_a_stdout_that_is_full_is_a_clear_error() -> None:
    raw = io.FileIO(os.open("/dev/full", os.O_WRONLY), "w")
    stdout = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    try:
        with pytest.raises(OutputError, match="cannot write the report to stdout: No space left on device"):
            write_report(typical(), Output(), stdout=stdout, page=PIPE)
    finally:
        raw.close()


def test_what_cannot_be_written_is_known_before_the_trace(tmp_path: Path) -> None:
    check_writable(Output())
    check_writable(Output(path=tmp_path / "report.json"))
    with pytest.raises(OutputError, match="its directory does not exist"):
        check_writable(Output(path=tmp_path / "none" / "report.json"))
    with pytest.raises(OutputError, match="it is a directory"):
        check_writable(Output(path=tmp_path))


@pytest.mark.skipif(is_root, reason="root may write anywhere")
def test_a_directory_that_is_not_writable_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="its directory is not writable"):
        check_writable(Output(path=tmp_path / "report.json"))


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    missing = tmp_path / "gone" / "report.json"
    with pytest.raises(OutputError, match="No such file or directory"):
        write_report(silent(), Output(format="json", path=missing), stdout=io.StringIO(), page=PIPE)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_file_name_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".json")
    write_report(silent(), Output(format="json", path=path), stdout=io.StringIO(), page=PIPE)
    assert path.is_file()


def test_a_stream_that_knows_only_ascii_gets_escapes() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    write_text("41 µs\n", stream)
    assert raw.getvalue() == rb"41 \xb5s" + b"\n"


def test_a_pipe_has_no_width_and_no_colours() -> None:
    assert page_of(io.StringIO()) == Page(width=None, color=False)


def test_a_terminal_has_a_width_and_colours_unless_it_is_told_not_to() -> None:
    controller, terminal = os.openpty()
    try:
        with os.fdopen(terminal, "w") as screen:
            assert page_of(screen, environment={}).color
            assert page_of(screen, environment={}).width is not None
            assert not page_of(screen, environment={"NO_COLOR": "1"}).color
            assert not page_of(screen, environment={"TERM": "dumb"}).color
    finally:
        os.close(controller)


def test_a_page_is_what_its_head_says_whatever_stdout_s_encoding_was() -> None:
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="latin-1")
    write_report(silent(), Output(format="html"), stdout=stdout, page=PIPE)
    written = raw.getvalue().decode("utf-8")
    assert '<meta charset="utf-8">' in written
    assert all(library.text in written for library in assets().libraries)
