"""The few BPF instructions that the tracer writes itself, and those that it changes before a program is loaded.

The format is described in the kernel's documentation, ``Documentation/bpf/standardization/instruction-set.rst``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

_INSTRUCTION: Final = struct.Struct("=BBhi")
_CALL, _MOVE_CONSTANT, _MOVE, _EXIT, _LOAD_WIDE = 0x85, 0xB7, 0xBF, 0x95, 0x18
_OF_MAP: Final = 1  # BPF_PSEUDO_MAP_FD in the place of the source register
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


def with_map_numbers(code: bytes, numbers: Mapping[int, int]) -> bytes:
    """The same program with other numbers for its maps (descriptors, or places in a list). KeyError: one is unknown."""
    changed = bytearray(code)
    for at, source, value in _wide_constants(code):
        if source == _OF_MAP:
            struct.pack_into("=i", changed, at + 4, numbers[value & 0xFFFF_FFFF])
    return bytes(changed)


def with_constants(code: bytes, values: Mapping[int, int]) -> bytes:
    """The same program with some of its 64-bit constants replaced by others."""
    changed = bytearray(code)
    for at, source, value in _wide_constants(code):
        if source == 0 and value in values:
            low, high = struct.unpack("=II", struct.pack("=Q", values[value]))
            struct.pack_into("=I", changed, at + 4, low)
            struct.pack_into("=I", changed, at + SIZE + 4, high)
    return bytes(changed)


def _wide_constants(code: bytes) -> Iterator[tuple[int, int, int]]:
    """Each instruction that loads 64 bits: its place (it takes two), the kind of constant, and which."""
    at = 0
    while at < len(code):
        operation, registers, _, low = _INSTRUCTION.unpack_from(code, at)
        if operation == _LOAD_WIDE:
            high = _INSTRUCTION.unpack_from(code, at + SIZE)[3]
            yield at, registers >> 4, (high & 0xFFFF_FFFF) << 32 | low & 0xFFFF_FFFF
            at += SIZE
        at += SIZE
