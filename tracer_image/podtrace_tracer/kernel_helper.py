"""Asks the kernel what raw tracepoint programs may call, by loading a program of a few instructions."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

from podtrace_tracer.instructions import EXIT, SIZE, copy_register, helper_call, kernel_function_call, set_register
from podtrace_tracer.syscall_numbers import number_of

GET_CURRENT_ANCESTOR_CGROUP_ID: Final = 123
_GET_CURRENT_TASK_BTF, _TASK_PT_REGS = 158, 175

_PROG_LOAD, _RAW_TRACEPOINT = 5, 17


def is_allowed(helper: int, machine: str) -> bool:
    """Does this kernel let raw tracepoint programs call the helper? The number is that of `enum bpf_func_id`."""
    return _loads(set_register(1, 1) + helper_call(helper) + EXIT, machine)


def casts_are_allowed(function: int, struct_type: int, machine: str) -> bool:
    """Does this kernel let them cast a pointer by bpf_rdonly_cast? Both numbers are BTF ids."""
    arguments = set_register(1, 0) + set_register(2, struct_type)
    return _loads(arguments + kernel_function_call(function) + set_register(0, 0) + EXIT, machine)


def task_registers_are_allowed(machine: str) -> bool:
    """Does this kernel tell them with which registers the current task entered it (bpf_task_pt_regs)?"""
    call = helper_call(_GET_CURRENT_TASK_BTF) + copy_register(1, 0) + helper_call(_TASK_PT_REGS)
    return _loads(call + set_register(0, 0) + EXIT, machine)


def _loads(code: bytes, machine: str) -> bool:
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "=IIQQ", _RAW_TRACEPOINT, len(code) // SIZE, ctypes.addressof(instructions), ctypes.addressof(licence)
    ).ljust(128, b"\0")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(number_of("bpf", machine)), ctypes.c_long(_PROG_LOAD), buffer, ctypes.c_long(len(attributes))
    )
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True
