from __future__ import annotations

import re
from pathlib import Path

import pytest

from podtrace_tracer.collectors.registry import COLLECTORS
from podtrace_tracer.program import syscalls_of
from podtrace_tracer.syscalls import (
    CLASSES,
    FIRST_ON_SOCKETS,
    FIRST_WITHOUT_DESCRIPTOR,
    LAST_ON_SOCKETS,
    LAST_TRANSFER,
    MACHINES,
    NUMBERS,
    class_number,
    class_of_numbers,
)

NAMES = frozenset(name for collector in COLLECTORS.values() for name in collector.syscalls)
HEADERS = {
    "x86_64": (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm/unistd_64.h")),
    "aarch64": (Path("/usr/include/asm-generic/unistd.h"),),
}


def number_of(name: str, machine: str) -> int | None:
    """The number by which the tracer knows a call."""
    return next(iter(class_of_numbers(frozenset({name}), machine)), None)


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernel_s_headers(machine: str) -> None:
    header = next((path for path in HEADERS[machine] if path.exists()), None)
    if header is None:
        pytest.skip("this machine has no kernel headers to compare with")
    text = header.read_text()
    if not re.search(r"__NR3?_?\w*openat\s", text):
        pytest.skip("the numbers stand in another file of this header")
    # sendfile is written as __NR3264_sendfile where 32-bit machines have another call of that number.
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)
    numbers = {name: int(number) for name, number in reversed(found)}
    assert {name: number_of(name, machine) for name in sorted(NAMES)} == {
        name: numbers.get(name) for name in sorted(NAMES)
    }


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
    assert max(numbers) < NUMBERS


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
