from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from kubectl_podtrace.errors import TracerStartError
from kubectl_podtrace.local.command import HeldCommand, find_command
from kubectl_podtrace.local.source import LocalSource, Patience
from kubectl_podtrace.local.tracer import TracerProgram
from kubectl_podtrace.wire.fields import MAX_LINE
from kubectl_podtrace.wire.request import ProcessTarget, TraceRequest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="local mode is for Linux")
QUICK = Patience(command_s=0.2, tracer_s=0.2, leaving_s=0.1)
REQUEST = TraceRequest(target=ProcessTarget(pid=1))


def program(text: str) -> TracerProgram:
    return TracerProgram(
        arguments=(sys.executable, "-I", "-S", "-c", f"import os, sys, signal, time\n{text}"), environment={}
    )


@contextmanager
def source(text: str, command: HeldCommand | None = None, patience: Patience = QUICK) -> Iterator[LocalSource]:
    with closing(LocalSource(program=program(text), request=REQUEST, command=command, patience=patience)) as made:
        yield made


@contextmanager
def held(*words: str) -> Iterator[HeldCommand]:
    with closing(HeldCommand(find_command(words))) as command:
        command.await_ready()
        yield command


def test_lines_come_whole_however_they_were_written() -> None:
    text = "for part in (b'on', b'e\\ntw', b'o\\n', b'\\nhal', b'f'): os.write(1, part); time.sleep(0.01)"
    with source(text) as made:
        assert list(made.lines()) == [b"one", b"two", b"", b"half"]


def test_of_a_line_without_end_no_more_is_kept_than_shows_that_it_is_too_long() -> None:
    with source("os.write(1, b'x' * 300_000 + b'\\nnext\\n')") as made:
        first, second = made.lines()
        assert (first, second) == (b"x" * (MAX_LINE + 1), b"next")


def test_the_request_is_in_the_tracer_s_environment() -> None:
    with source("os.write(1, os.environb[b'PODTRACE_REQUEST'])") as made:
        assert list(made.lines()) == [REQUEST.to_json().encode()]


def test_stop_is_a_line_that_the_tracer_reads_and_what_it_says_then_still_comes() -> None:
    text = "print('up', flush=True)\nfor line in sys.stdin:\n    if line == 'stop\\n': print('last words'); break"
    with source(text, patience=Patience()) as made:
        lines = made.lines()
        assert next(lines) == b"up"
        made.stop()
        made.stop()
        assert list(lines) == [b"last words"]


def test_a_tracer_that_takes_no_orders_is_killed_and_that_is_told() -> None:
    text = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    with source(text) as made:
        lines = made.lines()
        assert next(lines) == b"up"
        made.stop()
        assert list(lines) == []
        assert made.notices == ["the tracer did not finish when it was asked to, and was killed"]


def test_a_tracer_without_a_word_is_an_error_with_what_it_said_elsewhere() -> None:
    with (
        source("sys.stderr.write('x' * 100_000 + '\\nwhy\\n'); sys.exit(4)") as made,
        pytest.raises(TracerStartError, match=r"exit code 4: why$"),
    ):
        list(made.lines())


def test_a_tracer_that_does_not_exist_is_an_error() -> None:
    nothing = TracerProgram(arguments=("/no/such/program",), environment={})
    with closing(LocalSource(program=nothing, request=REQUEST)) as made, pytest.raises(TracerStartError):
        list(made.lines())


def test_closing_twice_and_without_a_start_is_no_error() -> None:
    with source("") as made:
        made.close()
        made.stop()


def test_a_command_that_outlives_the_trace_is_ended() -> None:
    with held("sleep", "60") as command, source("print('up', flush=True)", command) as made:
        for _ in made.lines():
            made.release()
        assert made.command_was_ended
        assert command.status is not None
        assert command.status.shell_code == 143


@pytest.mark.usefixtures("deaf_to_sigterm")
def test_a_command_that_ignores_the_end_of_the_trace_is_killed() -> None:
    with held("sleep", "60") as command:
        text = "print('up', flush=True); time.sleep(0.2)"
        with source(text, command) as made:
            for _ in made.lines():
                made.release()
        assert command.status is not None
        assert command.status.shell_code == 137


def test_after_a_stop_the_command_has_some_time_and_then_the_trace_ends() -> None:
    text = "print('up', flush=True)\nfor line in sys.stdin:\n    if line == 'stop\\n': break"
    with held("sleep", "60") as command, source(text, command) as made:
        for _ in made.lines():
            made.release()
            made.stop()
        assert made.command_was_ended
        assert made.notices == []


def test_a_stop_that_waits_for_the_command_says_so_at_once_and_only_once() -> None:
    said: list[str] = []
    text = "print('up', flush=True)\nfor line in sys.stdin:\n    if line == 'stop\\n': break"
    with held("sleep", "60") as command:
        waiting = LocalSource(
            program=program(text),
            request=REQUEST,
            command=command,
            patience=QUICK,
            on_ending=lambda: said.append("running" if command.status is None else "ended"),
        )
        with closing(waiting) as made:
            for _ in made.lines():
                made.release()
                made.stop()
                made.stop()
    assert said == ["running"]


def test_a_stop_before_the_release_ends_the_tracer_and_the_command_never_runs() -> None:
    text = "print('up', flush=True)\nfor line in sys.stdin:\n    if line == 'stop\\n': break"
    with held("sleep", "60") as command, source(text, command, Patience()) as made:
        for _ in made.lines():
            made.stop()
        assert not made.command_was_ended
        assert command.status is not None
