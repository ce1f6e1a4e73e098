from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from kubectl_podtrace.wire.request import STOP_LINE
from podtrace_tracer.stop import Stop

LONG_S = 60.0


class Stdin:
    """The two ends of a pipe that stands for stdin."""

    def __init__(self) -> None:
        self.read, self._write = os.pipe()

    def say(self, data: bytes) -> None:
        os.write(self._write, data)

    def end(self) -> None:
        os.close(self._write)

    def close(self) -> None:
        for descriptor in (self.read, self._write):
            with suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def stdin() -> Iterator[Stdin]:
    pipe = Stdin()
    yield pipe
    pipe.close()


@pytest.fixture
def listening(stdin: Stdin) -> Iterator[Stop]:
    """One that listens to signals; the process's own handlers come back at the end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    wakeup = signal.set_wakeup_fd(-1)
    stop = Stop(stdin.read)
    stop.listen()
    yield stop
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(wakeup)


def test_without_an_order_it_waits_its_time_and_has_no_reason(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    stop.wait(0)
    stop.wait(-5)
    assert stop.reason == ""


def test_a_stop_line_is_an_order(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    stdin.say(STOP_LINE)
    stop.wait(LONG_S)
    assert stop.reason == "stopped"


def test_a_stop_line_may_come_in_pieces_and_behind_other_lines(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    for piece in (b"ping\n" * 2000, b"ping\nst", b"op"):
        stdin.say(piece)
        for _ in range(4):
            stop.wait(0)
        assert stop.reason == ""
    stdin.say(b"\n")
    stop.wait(LONG_S)
    assert stop.reason == "stopped"


def test_the_end_of_a_stdin_that_said_something_is_an_order(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    stdin.say(b"ping\n")
    stop.wait(LONG_S)
    stdin.end()
    stop.wait(LONG_S)
    assert stop.reason == "client gone"


def test_a_stdin_that_was_empty_from_the_start_is_no_order_and_is_not_asked_again(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    stdin.end()
    stop.wait(LONG_S)
    assert stop.reason == ""
    os.close(stdin.read)
    stop.wait(0)
    assert stop.reason == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_an_order_under_its_name(listening: Stop, number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    listening.wait(LONG_S)
    assert listening.reason == number.name


def test_a_signal_ends_a_wait_that_is_under_way(listening: Stop) -> None:
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    listening.wait(LONG_S)
    timer.join()
    assert listening.reason == "SIGTERM"


def test_the_first_order_is_the_one_that_is_told(listening: Stop, stdin: Stdin) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    listening.wait(LONG_S)
    stdin.say(STOP_LINE)
    os.kill(os.getpid(), signal.SIGTERM)
    listening.wait(LONG_S)
    assert listening.reason == "SIGINT"
