"""The few BPF instructions that the tracer writes itself.

The format is described in the kernel's documentation, ``Documentation/bpf/standardization/instruction-set.rst``.
"""

from __future__ import annotations

import struct
from typing import Final

_INSTRUCTION: Final = struct.Struct("=BBhi")
_CALL, _MOVE_CONSTANT, _MOVE, _EXIT = 0x85, 0xB7, 0xBF, 0x95
_OF_KERNEL_FUNCTION: Final = 2 << 4  # BPF_PSEUDO_KFUNC_CALL in the place of the source register
SIZE: Final = _INSTRUCTION.size
EXIT: Final = _INSTRUCTION.pack(_EXIT, 0, 0, 0)


def set_register(register: int, value: int) -> bytes:
    """Puts a constant into a register."""
    return _INSTRUCTION.pack(_MOVE_CONSTANT, register, 0, value)


def copy_register(register: int, source: int) -> bytes:
    """Puts what one register holds into another."""
    return _INSTRUCTION.pack(_MOVE, source << 4 | register, 0, 0)


def helper_call(number: int) -> bytes:
    """Calls a helper by its number in `enum bpf_func_id`."""
    return _INSTRUCTION.pack(_CALL, 0, 0, number)


def kernel_function_call(type_id: int) -> bytes:
    """Calls a kernel function by its BTF id."""
    return _INSTRUCTION.pack(_CALL, _OF_KERNEL_FUNCTION, 0, type_id)


def with_kernel_function(code: bytes, placeholder: int, type_id: int) -> bytes:
    """The same program with a kernel function called in place of the helper `placeholder`."""
    wanted, replacement = helper_call(placeholder), kernel_function_call(type_id)
    instructions = (code[at : at + SIZE] for at in range(0, len(code), SIZE))
    return b"".join(replacement if instruction == wanted else instruction for instruction in instructions)
