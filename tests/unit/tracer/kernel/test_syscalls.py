from __future__ import annotations

import pytest

from podtrace_tracer.collectors.registry import COLLECTORS
from podtrace_tracer.kernel.syscall_numbers import END, MACHINES
from podtrace_tracer.kernel.syscalls import (
    CLASSES,
    FIRST_ON_SOCKETS,
    FIRST_WITHOUT_DESCRIPTOR,
    LAST_ON_SOCKETS,
    LAST_TRANSFER,
    class_number,
    class_of_numbers,
)
from podtrace_tracer.programs.program import syscalls_of

NAMES = frozenset(name for collector in COLLECTORS.values() for name in collector.syscalls)


def number_of(name: str, machine: str) -> int | None:
    """The number by which the tracer knows a call."""
    return next(iter(class_of_numbers(frozenset({name}), machine)), None)


@pytest.mark.parametrize(
    ("name", "x86_64", "aarch64"),
    [
        ("read", 0, 63),
        ("write", 1, 64),
        ("openat", 257, 56),
        ("execve", 59, 221),
        ("connect", 42, 203),
        ("close", 3, 57),
    ],
)
def test_well_known_numbers(name: str, x86_64: int, aarch64: int) -> None:
    assert (number_of(name, "x86_64"), number_of(name, "aarch64")) == (x86_64, aarch64)


@pytest.mark.parametrize("name", ["open", "creat", "unlink", "rename"])
def test_calls_that_arm64_never_had_are_left_out_there(name: str) -> None:
    assert number_of(name, "aarch64") is None
    assert number_of(name, "x86_64") is not None


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_of_every_collector_has_a_number_of_its_own_within_the_kernel_s_table(machine: str) -> None:
    numbers = class_of_numbers(NAMES, machine)
    known = [name for name in NAMES if number_of(name, machine) is not None]
    assert len(numbers) == len(known) >= len(NAMES) - 10
    assert max(numbers) < END


def test_classes_are_numbered_from_one_with_transfers_first_and_calls_on_names_last() -> None:
    assert [class_number(name) for name in CLASSES] == list(range(1, len(CLASSES) + 1))
    on_sockets = {"SEND", "SENDMMSG", "RECVFROM", "RECVMSG", "RECVMMSG"}
    first, last = class_number(FIRST_ON_SOCKETS), class_number(LAST_ON_SOCKETS)
    assert {name for name in CLASSES if first <= class_number(name) <= last} == on_sockets
    transfers = {"READ", "WRITE", "SENDFILE", "COPY", "FSYNC"} | on_sockets
    assert {name for name in CLASSES if class_number(name) <= class_number(LAST_TRANSFER)} == transfers
    by_name = {name for name in CLASSES if class_number(name) >= class_number(FIRST_WITHOUT_DESCRIPTOR)}
    assert by_name == set(CLASSES) - transfers - {"CONNECT"}


def test_only_the_calls_of_the_topics_asked_for_are_looked_at() -> None:
    only_processes = syscalls_of((COLLECTORS["processes"],), "x86_64")
    assert only_processes == {59: class_number("EXEC"), 322: class_number("EXECAT")}
    both = syscalls_of((COLLECTORS["processes"], COLLECTORS["descriptors"]), "x86_64")
    assert {59, 322, 2, 85, 257, 437, 3, 41, 32} <= set(both)
    assert {0, 1, 42, 87}.isdisjoint(both)
