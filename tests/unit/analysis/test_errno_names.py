"""Linux's names of errors and signals, whatever machine the plugin runs on."""

from __future__ import annotations

import errno
import signal
import sys

import pytest

from kubectl_podtrace.analysis.errno_names import errno_name, signal_name

ALIASES = {"EWOULDBLOCK": "EAGAIN", "EDEADLOCK": "EDEADLK", "ENOTSUP": "EOPNOTSUPP"}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the second source is Linux's own table")


@on_linux
def test_errors_have_the_names_that_linux_gives_them() -> None:
    for number, name in errno.errorcode.items():
        assert errno_name(number) == ALIASES.get(name, name)


@on_linux
def test_signals_have_the_names_that_linux_gives_them() -> None:
    ordinary = [number for number in signal.Signals if number < 32]
    assert [signal_name(number) for number in ordinary] == [number.name for number in ordinary]


def test_an_attempt_that_its_program_gave_up_is_aborted() -> None:
    assert errno_name(0) == "ABORTED"


def test_a_number_without_a_name_is_shown_as_a_number() -> None:
    assert (errno_name(4_000), signal_name(64)) == ("ERRNO_4000", "SIG64")
