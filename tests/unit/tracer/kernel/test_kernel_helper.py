from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.kernel.kernel_helper import casts_are_allowed, is_allowed, task_registers_are_allowed
from podtrace_tracer.kernel.syscall_numbers import MACHINES

MACHINE = platform.machine()
GET_CURRENT_PID_TGID, TAIL_CALL, NO_SUCH = 14, 12, 100_000

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or MACHINE not in MACHINES,
    reason="only root on Linux may load a program to ask",
)


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_a_helper_that_every_kernel_has_is_allowed() -> None:
    if not is_allowed(GET_CURRENT_PID_TGID):
        pytest.skip("this kernel lets nobody load programs")
    assert is_allowed(GET_CURRENT_PID_TGID)


@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel publishes no BTF")
def test_the_registers_of_a_task_are_told_by_every_kernel_that_has_the_helper() -> None:
    if Btf.load().enum_value("bpf_func_id", "BPF_FUNC_task_pt_regs") is None:
        pytest.skip("this kernel has no bpf_task_pt_regs (5.15 and later have it)")
    before = open_descriptors()
    assert task_registers_are_allowed()
    assert open_descriptors() == before


def test_a_helper_that_no_kernel_has_and_one_called_the_wrong_way_are_not_and_leave_nothing_open() -> None:
    before = open_descriptors()
    assert not is_allowed(NO_SUCH)
    assert not is_allowed(TAIL_CALL)
    is_allowed(GET_CURRENT_PID_TGID)
    assert open_descriptors() == before


@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel publishes no BTF")
def test_a_cast_is_allowed_where_the_kernel_has_it_and_to_structs_only() -> None:
    btf = Btf.load()
    cast, task = btf.function("bpf_rdonly_cast"), btf.struct("task_struct")
    assert task is not None
    if cast is None:
        pytest.skip("this kernel has no bpf_rdonly_cast (6.2 and later have it)")
    assert casts_are_allowed(cast, task)
    assert not casts_are_allowed(cast, cast)
    assert not casts_are_allowed(task, task)
