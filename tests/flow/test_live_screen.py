"""The live view on a real pseudo-terminal, drawn by a tracer that makes its story up."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.flow import local_program
from tests.terminal import Terminal

ROOT = Path(__file__).parents[2]
ALTERNATE_SCREEN, USUAL_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="local mode is for Linux")

Watch = Callable[..., Terminal]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Traces this very process on a terminal, with further flags."""
    open_ones: list[Terminal] = []

    def start(*flags: str, columns: int = 80, rows: int = 24, script: str = "lively", term: str = "xterm") -> Terminal:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": term, "LC_ALL": "C.UTF-8"}
        program = (sys.executable, local_program.__file__, script, str(tmp_path / "notes.json"))
        terminal = Terminal(
            (*program, "local", "--pid", str(os.getpid()), *flags), environment, columns=columns, rows=rows
        )
        open_ones.append(terminal)
        return terminal

    yield start
    for terminal in open_ones:
        terminal.close()


def test_80_by_24_shows_rates_processes_and_single_events(watch: Watch) -> None:
    terminal = watch()
    terminal.wait_for("/data/")
    shown = terminal.wait_for("q quit", lines=slice(23, 24))
    assert "live for" in shown[0]
    assert "1 overview" in shown[1]
    assert any(line.strip().startswith("file read") and "/s" in line for line in shown)
    assert any("slow" in line and "fsync" in line and "worker (7)" in line for line in shown)
    assert "q quit" in shown[-1]
    assert terminal.raw.count(ALTERNATE_SCREEN) == 1


def test_q_ends_the_trace_and_the_report_stands_on_the_usual_screen(watch: Watch) -> None:
    terminal = watch()
    terminal.wait_for("/data/")
    terminal.press("q")
    assert terminal.wait() == 0
    after = terminal.raw.rpartition(USUAL_SCREEN)[2].decode()
    assert "verdict" in after
    assert "Trust" in after
    assert "the stream ended" not in after
    assert terminal.settings_now == terminal.settings


def test_ctrl_c_does_the_same(watch: Watch) -> None:
    terminal = watch()
    terminal.wait_for("/data/")
    terminal.press("\x03")
    assert terminal.wait() == 0
    assert b"verdict" in terminal.raw.rpartition(USUAL_SCREEN)[2]
    assert terminal.settings_now == terminal.settings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_is_left_as_it_was_whatever_ends_the_trace(watch: Watch, number: signal.Signals) -> None:
    terminal = watch()
    terminal.wait_for("/data/")
    # setsid waits for the command, and hands no signal on.
    (child,) = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children").read_text().split()
    os.kill(int(child), number)
    assert terminal.wait() == 0
    assert terminal.settings_now == terminal.settings
    assert USUAL_SCREEN in terminal.raw


def test_keys_turn_pages_hold_the_picture_and_scroll(watch: Watch) -> None:
    terminal = watch()
    terminal.wait_for("/data/")
    terminal.press("4")
    terminal.wait_for("the latest window")
    terminal.press("t")
    terminal.wait_for("everything since the beginning")
    terminal.press("\t")
    terminal.wait_for("t since start", gone=True)
    terminal.press("?")
    terminal.wait_for("hold the picture still")
    terminal.press("p")
    terminal.wait_for("held still")
    terminal.press("p")
    terminal.wait_for("live for")


def test_a_picture_that_is_held_does_not_change_while_the_trace_goes_on(watch: Watch) -> None:
    terminal = watch()
    terminal.wait_for("/data/")
    terminal.press("p")
    held = terminal.wait_for("held still")
    later = terminal.wait_for("2.0")  # its age
    assert later[2:-1] == held[2:-1]
    terminal.press("p")
    terminal.wait_for("live for")
    assert terminal.shown[2:-1] != held[2:-1]


def test_every_event_is_shown_when_asked_for(watch: Watch) -> None:
    terminal = watch("--events", "all", rows=40)
    terminal.wait_for("exec")
    terminal.press("e")
    terminal.wait_for("slow and failed first")


def test_another_size_is_drawn_at_once(watch: Watch) -> None:
    terminal = watch()
    terminal.wait_for("/data/")
    terminal.resize(130, 40)
    terminal.wait_for("p50")
    terminal.wait_for("q quit", lines=slice(39, 40))
    terminal.resize(30, 5)
    terminal.wait_for("too small")
    terminal.resize(80, 24)
    terminal.wait_for("q quit")


def test_a_terminal_that_cannot_draw_gets_plain_blocks(watch: Watch) -> None:
    terminal = watch(term="dumb")
    terminal.wait_for("Ctrl+C ends the trace")
    terminal.press("\x03")
    assert terminal.wait() == 0
    assert ALTERNATE_SCREEN not in terminal.raw


def test_a_trace_of_known_length_shows_a_bar_with_counters_and_its_report(watch: Watch) -> None:
    terminal = watch("--diagnose", "3s", script="lively")
    shown = terminal.wait_for("events, ")
    line = next(line for line in shown if "events, " in line)
    assert "s left" in line
    assert "─" in line
    assert "0 failed" in line
    terminal.press("\x03")
    assert terminal.wait() == 0
    assert ALTERNATE_SCREEN not in terminal.raw
    assert b"verdict" in terminal.raw
