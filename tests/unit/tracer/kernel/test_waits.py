from __future__ import annotations

import pytest

from podtrace_tracer.kernel import waits
from podtrace_tracer.kernel.syscall_numbers import MACHINES, TABLE, places_of_calls


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_that_the_machine_has_is_known_to_wait(machine: str) -> None:
    numbers = [TABLE[name][MACHINES.index(machine)] for name in places_of_calls(waits.CLASSES)]
    assert waits.class_of_numbers(machine).keys() == {number for number in numbers if number is not None}


def test_calls_on_several_descriptors_stand_last() -> None:
    first = waits.class_number(waits.FIRST_ON_SETS)
    assert [name for name in waits.CLASSES if waits.class_number(name) >= first] == ["POLL", "SELECT", "EPOLL"]
