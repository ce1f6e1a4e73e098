from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from podtrace_tracer.kernel import perf_event, trace_events
from podtrace_tracer.kernel.syscall_numbers import MACHINES

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or platform.machine() not in MACHINES,
    reason="only root on Linux may ask for trace events",
)


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_each_event_has_a_number_of_its_own_and_one_that_does_not_exist_has_none() -> None:
    found = trace_events.find({"sys_enter": "raw_syscalls", "sys_exit": "raw_syscalls"})
    if not found:
        pytest.skip("this kernel tells nobody of its trace events")
    assert set(found) == {"sys_enter", "sys_exit"}
    assert found["sys_enter"] != found["sys_exit"]
    assert trace_events.find({"sys_enter": "raw_syscalls", "sys_ghost": "raw_syscalls"}) == {}


def test_events_that_may_not_be_heard_are_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"sys_enter": "raw_syscalls", "sys_exit": "raw_syscalls"}
    found = trace_events.find(wanted)
    if not found:
        pytest.skip("this kernel tells nobody of its trace events")
    assert perf_event.may_attach_trace_event(found["sys_exit"])
    assert not perf_event.may_attach_trace_event(2**62)
    monkeypatch.setattr(perf_event, "may_attach_trace_event", lambda number: number != found["sys_exit"])
    assert trace_events.find(wanted) == {}


def test_what_is_no_program_is_refused_and_leaves_nothing_open() -> None:
    found = trace_events.find({"sys_enter": "raw_syscalls"})
    if not found:
        pytest.skip("this kernel tells nobody of its trace events")
    before = open_descriptors()
    with Path(os.devnull).open() as no_program, pytest.raises(OSError, match="Invalid argument"):
        perf_event.attach_trace_event(found["sys_enter"], no_program.fileno())
    assert open_descriptors() == before
