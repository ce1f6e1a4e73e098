from __future__ import annotations

import re
from pathlib import Path

import pytest

from podtrace_tracer import syscalls, waits
from podtrace_tracer.collectors.registry import COLLECTORS
from podtrace_tracer.syscalls import MACHINES, NUMBERS

HEADERS = {
    "x86_64": (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm/unistd_64.h")),
    "aarch64": (Path("/usr/include/asm-generic/unistd.h"),),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_kernel_s_headers(machine: str) -> None:
    header = next((path for path in HEADERS[machine] if path.exists()), None)
    if header is None:
        pytest.skip("this machine has no kernel headers to compare with")
    text = re.sub(r"__NR3264_(\w+)", r"__NR_\1", header.read_text())
    numbers = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", text)}
    known = {name: row[MACHINES[machine]] for name, row in waits.TABLE.items()}
    # Headers may be older than a call; the number of a known one never changes.
    assert {name: number for name, number in known.items() if name in numbers and number != numbers[name]} == {}
    assert {name for name, number in known.items() if number is None and name in numbers} == set()


@pytest.mark.parametrize("machine", MACHINES)
def test_no_number_means_two_calls_and_each_has_a_place(machine: str) -> None:
    numbers = [row[MACHINES[machine]] for row in waits.TABLE.values()]
    given = [number for number in numbers if isinstance(number, int)]
    assert len(set(given)) == len(given) == len(waits.class_of_numbers(machine))
    assert max(given) < NUMBERS


@pytest.mark.parametrize("machine", MACHINES)
def test_a_call_has_one_number_wherever_it_is_known(machine: str) -> None:
    counted = frozenset(name for collector in COLLECTORS.values() for name in collector.syscalls)
    both = counted & waits.TABLE.keys()
    assert {"read", "sendmsg", "fsync"} <= both
    for name in both:
        number = waits.TABLE[name][MACHINES[machine]]
        assert set(syscalls.class_of_numbers(frozenset({name}), machine)) == {number}


def test_calls_on_several_descriptors_stand_last() -> None:
    first = waits.class_number(waits.FIRST_ON_SETS)
    assert [name for name in waits.CLASSES if waits.class_number(name) >= first] == ["POLL", "SELECT", "EPOLL"]
    assert {row[0] for row in waits.TABLE.values()} == set(waits.CLASSES)
