"""The instructions that the tracer writes itself, byte by byte."""

from __future__ import annotations

import struct

import pytest

from podtrace_tracer.kernel.instructions import (
    EXIT,
    SIZE,
    helper_call,
    kernel_function_call,
    set_register,
    with_constants,
    with_kernel_function,
    with_map_numbers,
)

LOADS_A_CONSTANT = bytes.fromhex("18000000850000000000000000000000")


def test_instructions_are_those_of_the_format() -> None:
    assert set_register(2, 7) == bytes.fromhex("b702000007000000")
    assert helper_call(14) == bytes.fromhex("850000000e000000")
    assert kernel_function_call(258) == bytes.fromhex("8520000002010000")
    assert len(EXIT) == SIZE


def test_only_calls_of_the_placeholder_become_calls_of_the_function() -> None:
    program = LOADS_A_CONSTANT + helper_call(14) + helper_call(99) + set_register(1, 99) + helper_call(99) + EXIT
    changed = with_kernel_function(program, 99, 1234)
    called = kernel_function_call(1234)
    assert changed == LOADS_A_CONSTANT + helper_call(14) + called + set_register(1, 99) + called + EXIT


def wide(source: int, value: int, register: int = 3) -> bytes:
    low, high = value & 0xFFFF_FFFF, value >> 32
    return struct.pack("=BBhIBBhI", 0x18, source << 4 | register, 0, low, 0, 0, 0, high)


def test_maps_get_other_numbers_and_constants_stay() -> None:
    program = wide(1, 7) + set_register(1, 7) + wide(0, 7) + wide(1, 9, register=1) + EXIT
    assert with_map_numbers(program, {7: 0, 9: 4000}) == (
        wide(1, 0) + set_register(1, 7) + wide(0, 7) + wide(1, 4000, register=1) + EXIT
    )
    with pytest.raises(KeyError):
        with_map_numbers(program, {7: 0})


def test_constants_of_a_trace_take_the_place_of_their_marks() -> None:
    mark = 0x506F_6454_7261_0001
    program = wide(0, mark) + wide(0, mark + 1) + wide(1, 1) + set_register(2, 1) + EXIT
    changed = with_constants(program, {mark: 2**64 - 1, 1: 5})
    assert changed == wide(0, 2**64 - 1) + wide(0, mark + 1) + wide(1, 1) + set_register(2, 1) + EXIT
    assert with_constants(program, {mark: 0}) == wide(0, 0) + program[16:]


def test_the_second_half_of_a_wide_constant_is_no_instruction() -> None:
    looks_like_one = wide(0, 0x18 << 32)
    assert with_constants(looks_like_one + EXIT, {0: 1}) == looks_like_one + EXIT
