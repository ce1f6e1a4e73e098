"""Asks the kernel what raw tracepoint programs may call, by loading a program of a few instructions."""

from __future__ import annotations

import os
from typing import Final

from podtrace_tracer.kernel import bpf_syscall
from podtrace_tracer.kernel.instructions import EXIT, copy_register, helper_call, kernel_function_call, set_register

GET_CURRENT_ANCESTOR_CGROUP_ID: Final = 123
_GET_CURRENT_TASK_BTF, _TASK_PT_REGS = 158, 175


def is_allowed(helper: int) -> bool:
    """Does this kernel let raw tracepoint programs call the helper? The number is that of `enum bpf_func_id`."""
    return _loads(set_register(1, 1) + helper_call(helper) + EXIT)


def casts_are_allowed(function: int, struct_type: int) -> bool:
    """Does this kernel let them cast a pointer by bpf_rdonly_cast? Both numbers are BTF ids."""
    arguments = set_register(1, 0) + set_register(2, struct_type)
    return _loads(arguments + kernel_function_call(function) + set_register(0, 0) + EXIT)


def task_registers_are_allowed() -> bool:
    """Does this kernel tell them with which registers the current task entered it (bpf_task_pt_regs)?"""
    call = helper_call(_GET_CURRENT_TASK_BTF) + copy_register(1, 0) + helper_call(_TASK_PT_REGS)
    return _loads(call + set_register(0, 0) + EXIT)


def _loads(code: bytes) -> bool:
    descriptor, _ = bpf_syscall.load_program("question", bpf_syscall.RAW_TRACEPOINT, code)
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True
