from __future__ import annotations

import re
from pathlib import Path

import pytest

from podtrace_tracer.kernel import syscalls, waits
from podtrace_tracer.kernel.syscall_numbers import END, MACHINES, TABLE, by_number, number_of, places_of_calls

HEADERS = {
    "x86_64": (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm/unistd_64.h")),
    "aarch64": (Path("/usr/include/asm-generic/unistd.h"),),
}


def numbers_on(machine: str) -> dict[str, int | None]:
    return {name: numbers[MACHINES.index(machine)] for name, numbers in TABLE.items()}


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
    newest = max(number for name, number in numbers.items() if name != "syscalls")
    # Headers may be older than a call.
    known = {name: number for name, number in numbers_on(machine).items() if number is None or number <= newest}
    assert len(known) > len(TABLE) - 10
    assert known == {name: numbers.get(name) for name in known}


@pytest.mark.parametrize("machine", MACHINES)
def test_no_number_means_two_calls_and_each_has_a_place_in_the_kernel_s_table(machine: str) -> None:
    given = [number for number in numbers_on(machine).values() if number is not None]
    assert len(set(given)) == len(given)
    assert max(given) < END


def test_every_call_with_a_number_is_looked_at_or_waited_in_and_no_other() -> None:
    classes = places_of_calls(syscalls.CLASSES).keys() | places_of_calls(waits.CLASSES).keys()
    assert classes == TABLE.keys()
    assert places_of_calls(syscalls.SHAPES).keys() <= classes


@pytest.mark.parametrize("groups", [syscalls.CLASSES, syscalls.SHAPES, waits.CLASSES])
def test_no_call_is_in_two_groups(groups: dict[str, tuple[str, ...]]) -> None:
    names = [name for group in groups.values() for name in group]
    assert len(set(names)) == len(names) == len(places_of_calls(groups))


def test_calls_are_known_by_the_place_of_their_group_counted_from_one() -> None:
    places = places_of_calls({"FIRST": ("read", "open"), "SECOND": ("write",)})
    assert places == {"read": 1, "open": 1, "write": 2}
    assert by_number(places, "x86_64") == {0: 1, 2: 1, 1: 2}
    assert by_number(places, "aarch64") == {63: 1, 64: 2}


def test_a_call_that_a_machine_does_not_have_has_no_number_there() -> None:
    assert number_of("open", "x86_64") == 2
    with pytest.raises(LookupError, match="aarch64 has no system call open"):
        number_of("open", "aarch64")
