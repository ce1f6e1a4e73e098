"""The instructions that the tracer writes itself, byte by byte."""

from __future__ import annotations

from podtrace_tracer.instructions import (
    EXIT,
    SIZE,
    helper_call,
    kernel_function_call,
    set_register,
    with_kernel_function,
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
