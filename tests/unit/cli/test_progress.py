from __future__ import annotations

import io

from kubectl_podtrace.cli.progress import Progress

SECOND_NS = 10**9


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that tests move."""

    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def test_a_file_gets_one_line_for_each_step_and_no_control_characters() -> None:
    out, clock = io.StringIO(), Clock()
    progress = Progress(out=out, clock=clock)
    progress.step("starting")
    progress.step("tracing", duration_ns=10 * SECOND_NS)
    clock.now_ns = SECOND_NS
    progress.tick()
    progress.notice("by the way\x1b[2J")
    progress.finish()
    assert out.getvalue() == "starting\ntracing\nnote: by the way\\x1b[2J\n"


def test_a_terminal_gets_one_line_that_counts_down_and_is_gone_at_the_end() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress(out=out, clock=clock)
    progress.step("tracing", duration_ns=2 * SECOND_NS)
    for moment in (0, SECOND_NS // 2, SECOND_NS, 2 * SECOND_NS):
        clock.now_ns = moment
        progress.tick()
    progress.finish()
    shown = out.getvalue().split("\r\x1b[K")
    assert shown == ["", "tracing, 2 s left ...", "tracing, 1 s left ...", "tracing, finishing ...", ""]


def test_a_remark_on_a_terminal_stands_above_the_line() -> None:
    out = Terminal()
    progress = Progress(out=out, clock=Clock())
    progress.step("starting")
    progress.notice("careful")
    assert out.getvalue() == "\r\x1b[Kstarting ...\r\x1b[Knote: careful\n\r\x1b[Kstarting ..."
    progress.finish()
    progress.tick()
    assert out.getvalue().endswith("\r\x1b[K")
