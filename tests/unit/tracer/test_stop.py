from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from kubectl_podtrace.wire.request import ACK_LINE, CLIENT_GONE, PING_LINE, STOP_LINE
from podtrace_tracer.stop import Stop

LONG_S = 60.0


class Clock:
    """A clock that a test sets; with `hurry` each look at it takes a second."""

    def __init__(self, *, hurry: float = 0.0) -> None:
        self.now = 100.0
        self.hurry = hurry

    def __call__(self) -> float:
        self.now += self.hurry
        return self.now


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
    stop.wait(0)
    stdin.end()
    stop.wait(LONG_S)
    assert stop.reason == CLIENT_GONE


def test_a_stdin_that_was_empty_from_the_start_is_no_order_and_is_not_asked_again(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    stdin.end()
    stop.wait(0)
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


def test_a_lease_that_nobody_started_never_runs_out(stdin: Stdin) -> None:
    clock = Clock()
    stop = Stop(stdin.read, clock)
    stop.lend(30, from_now=False)
    clock.now += 3600
    stop.wait(0)
    assert stop.reason == ""


def test_without_a_lease_pings_start_nothing(stdin: Stdin) -> None:
    clock = Clock()
    stop = Stop(stdin.read, clock)
    stdin.say(PING_LINE)
    stop.wait(0)
    clock.now += 3600
    stop.wait(0)
    assert stop.reason == ""


def test_the_lease_runs_from_the_last_ping(stdin: Stdin) -> None:
    clock = Clock()
    stop = Stop(stdin.read, clock)
    stop.lend(30, from_now=False)
    for _ in range(3):
        stdin.say(PING_LINE)
        stop.wait(0)
        clock.now += 29
        stop.wait(0)
        assert stop.reason == ""
    clock.now += 1
    stop.wait(0)
    assert stop.reason == CLIENT_GONE


def test_the_lease_of_an_awaited_client_runs_from_the_start(stdin: Stdin) -> None:
    clock = Clock()
    stop = Stop(stdin.read, clock)
    stop.lend(30, from_now=True)
    clock.now += 30
    stop.wait(0)
    assert stop.reason == CLIENT_GONE


def test_a_ping_that_waited_for_a_busy_tracer_counts(stdin: Stdin) -> None:
    clock = Clock()
    stop = Stop(stdin.read, clock)
    stop.lend(30, from_now=True)
    stdin.say(PING_LINE)
    clock.now += 500
    stop.wait(0)
    assert stop.reason == ""
    clock.now += 30
    stop.wait(0)
    assert stop.reason == CLIENT_GONE


def test_a_wait_ends_when_the_lease_does(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    stop.lend(0.05, from_now=True)
    stop.wait(LONG_S)
    assert stop.reason == CLIENT_GONE


def test_pings_do_not_shorten_a_wait(stdin: Stdin) -> None:
    clock = Clock(hurry=1.0)
    stop = Stop(stdin.read, clock)
    stop.lend(3600, from_now=False)
    stdin.say(PING_LINE)
    began = clock.now
    stop.wait(0.001)
    assert clock.now - began >= 3
    assert stop.reason == ""


def test_where_there_is_a_lease_the_end_of_stdin_is_left_to_it(stdin: Stdin) -> None:
    clock = Clock()
    stop = Stop(stdin.read, clock)
    stop.lend(30, from_now=False)
    stdin.say(PING_LINE)
    stop.wait(0)
    stdin.end()
    stop.wait(0)
    assert stop.reason == ""
    clock.now += 30
    stop.wait(0)
    assert stop.reason == CLIENT_GONE


@pytest.mark.parametrize("line", [b"stops\n", b"Stop\n", b" stop\n", b"x" * 10_000 + b"stop\n"])
def test_what_is_no_order_is_none(stdin: Stdin, line: bytes) -> None:
    stop = Stop(stdin.read)
    stdin.say(line)
    for _ in range(4):
        stop.wait(0)
    assert stop.reason == ""


def test_after_the_last_line_a_client_that_was_there_is_waited_for(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    stdin.say(PING_LINE)
    stop.wait(0)
    timer = threading.Timer(0.05, stdin.say, (PING_LINE + ACK_LINE,))
    timer.start()
    stop.settle(acknowledged_within_s=LONG_S, linger_s=LONG_S)
    timer.join()


def test_an_acknowledgement_that_never_comes_is_not_waited_for_for_ever(stdin: Stdin) -> None:
    clock = Clock()
    stop = Stop(stdin.read, clock)
    stdin.say(PING_LINE)
    stop.wait(0)
    clock.hurry = 1.0
    stop.settle(acknowledged_within_s=1.5, linger_s=LONG_S)
    assert clock.now == 103.0


@pytest.mark.parametrize("before", [b"", STOP_LINE, b"\n"])
def test_a_client_that_never_pinged_is_not_waited_for(stdin: Stdin, before: bytes) -> None:
    stop = Stop(stdin.read)
    if before:
        stdin.say(before)
        stop.wait(0)
    stop.settle(acknowledged_within_s=LONG_S, linger_s=LONG_S)


def test_a_client_whose_stdin_has_ended_is_not_waited_for(stdin: Stdin) -> None:
    stop = Stop(stdin.read)
    stdin.say(PING_LINE)
    stdin.end()
    stop.settle(acknowledged_within_s=LONG_S, linger_s=LONG_S)
    stop.wait(0)
    stop.settle(acknowledged_within_s=LONG_S, linger_s=LONG_S)


def test_a_client_that_is_gone_is_not_waited_for(stdin: Stdin) -> None:
    clock = Clock()
    stop = Stop(stdin.read, clock)
    stop.lend(30, from_now=False)
    stdin.say(PING_LINE)
    stop.wait(0)
    clock.now += 31
    stop.wait(0)
    stop.settle(acknowledged_within_s=LONG_S, linger_s=LONG_S)
