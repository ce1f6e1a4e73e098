"""Asks the kernel whether raw tracepoint programs may call a BPF helper, by loading a program of three instructions."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

GET_CURRENT_ANCESTOR_CGROUP_ID: Final = 123

_BPF_SYSCALL: Final = {"x86_64": 321, "aarch64": 280}
_PROG_LOAD, _RAW_TRACEPOINT = 5, 17
_MOVE_ONE_TO_R1 = struct.pack("=BBhi", 0xB7, 1, 0, 1)
_EXIT = struct.pack("=BBhi", 0x95, 0, 0, 0)


def is_allowed(helper: int, machine: str) -> bool:
    """Does this kernel let raw tracepoint programs call the helper? The number is that of `enum bpf_func_id`."""
    call = struct.pack("=BBhi", 0x85, 0, 0, helper)
    instructions = ctypes.create_string_buffer(_MOVE_ONE_TO_R1 + call + _EXIT)
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "=IIQQ", _RAW_TRACEPOINT, 3, ctypes.addressof(instructions), ctypes.addressof(licence)
    ).ljust(128, b"\0")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(_BPF_SYSCALL[machine]), ctypes.c_long(_PROG_LOAD), buffer, ctypes.c_long(len(attributes))
    )
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True
