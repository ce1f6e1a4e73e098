from __future__ import annotations

import io

from kubectl_podtrace.cli.progress import Loudness, Progress

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
    assert shown == [
        "",
        f"tracing {'─' * 24}, 2 s left ...",
        f"tracing {'━' * 6}{'─' * 18}, 2 s left ...",
        f"tracing {'━' * 12}{'─' * 12}, 1 s left ...",
        f"tracing {'━' * 24}, finishing ...",
        "",
    ]


def test_counters_stand_behind_the_time_left() -> None:
    out = Terminal()
    progress = Progress(out=out, clock=Clock())
    progress.step("tracing", duration_ns=10 * SECOND_NS)
    progress.tick("7 events, 1 failed")
    assert out.getvalue().endswith(", 10 s left  7 events, 1 failed")


def test_a_line_is_never_longer_than_the_terminal_is_wide() -> None:
    out = Terminal()
    progress = Progress(out=out, clock=Clock())
    progress.step("pulling the image (" + "x" * 300)
    assert max(len(line) for line in out.getvalue().split("\r\x1b[K")) == 79


def test_quiet_says_nothing() -> None:
    for out in (Terminal(), io.StringIO()):
        progress = Progress(out=out, clock=Clock(), loudness=Loudness.QUIET)
        progress.step("starting")
        progress.tick("7 events")
        progress.notice("careful")
        progress.finish()
        assert out.getvalue() == ""


def test_verbose_says_how_long_each_step_took() -> None:
    out, clock = io.StringIO(), Clock()
    with Progress(out=out, clock=clock, loudness=Loudness.VERBOSE) as progress:
        progress.step("starting")
        clock.now_ns = 1_230_000_000
        progress.step("tracing")
        clock.now_ns += 2 * SECOND_NS
    assert out.getvalue() == "starting\nstarting: took 1.23 s\ntracing\ntracing: took 2.00 s\n"


def test_a_step_that_goes_on_while_others_write_took_as_long_as_it_took() -> None:
    out, clock = Terminal(), Clock()
    progress = Progress(out=out, clock=clock, loudness=Loudness.VERBOSE)
    progress.step("tracing")
    progress.rest()
    clock.now_ns = 7 * SECOND_NS
    progress.tick("7 events")
    assert out.getvalue().endswith("\r\x1b[K")
    progress.finish()
    assert out.getvalue().endswith("tracing: took 7.00 s\n")


def test_the_same_step_again_is_no_new_one() -> None:
    out = io.StringIO()
    progress = Progress(out=out, clock=Clock())
    progress.step("starting")
    progress.step("starting")
    assert out.getvalue() == "starting\n"


def test_who_holds_the_terminal_is_told_of_remarks_which_are_said_again_later() -> None:
    out, told = Terminal(), list[str]()
    progress = Progress(out=out, clock=Clock())
    progress.step("tracing")
    progress.hold(told.append)
    before = out.getvalue()
    progress.step("stopping the tracer")
    progress.tick("7 events")
    progress.notice("careful")
    assert (out.getvalue(), told) == (before, ["careful"])
    progress.release()
    assert "note: careful\n" in out.getvalue()


def test_a_remark_on_a_terminal_stands_above_the_line() -> None:
    out = Terminal()
    progress = Progress(out=out, clock=Clock())
    progress.step("starting")
    progress.notice("careful")
    assert out.getvalue() == "\r\x1b[Kstarting ...\r\x1b[Knote: careful\n\r\x1b[Kstarting ..."
    progress.finish()
    progress.tick()
    assert out.getvalue().endswith("\r\x1b[K")
