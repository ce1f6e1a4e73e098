from __future__ import annotations

from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.programs import kernel_functions
from podtrace_tracer.programs.kernel_functions import (
    CAST,
    KEEPING_CPU,
    PREEMPTIBLE,
    are_preemptible,
    defines,
    find,
    replacements,
)
from tests.unit.tracer.btf_blob import small_kernel


def kernel(*functions: str) -> tuple[Btf, dict[str, int]]:
    """A kernel that has these functions, and their BTF ids."""
    blob = small_kernel()
    numbers = {name: blob.function(name, []) for name in functions}
    return Btf.parse(blob.to_bytes()), numbers


def test_programs_keep_their_cpu_only_where_they_are_preemptible_and_the_kernel_lets_them() -> None:
    btf, numbers = kernel(*KEEPING_CPU, PREEMPTIBLE)
    assert are_preemptible(btf)
    assert find(btf, casts=False, preemptible=True) == {name: numbers[name] for name in KEEPING_CPU}
    assert find(btf, casts=False, preemptible=False) == {}
    for functions in ((), KEEPING_CPU[1:]):
        btf, _ = kernel(*functions)
        assert not are_preemptible(btf)
        assert find(btf, casts=True, preemptible=True) == {}


def test_the_text_is_told_which_functions_there_are() -> None:
    assert defines(()) == {}
    assert set(defines((CAST,))) == {"TYPED_LOADS", "RDONLY_CAST_PLACEHOLDER"}
    assert "KEEP_CPU" in defines(KEEPING_CPU)
    assert "KEEP_CPU" not in defines(KEEPING_CPU[1:])


def test_each_placeholder_stands_for_one_function() -> None:
    functions = {name: number for number, name in enumerate((CAST, *KEEPING_CPU), start=100)}
    placeholders = defines(functions)
    by_placeholder = replacements(functions)
    assert len(by_placeholder) == len(functions)
    for name, number in functions.items():
        assert by_placeholder[placeholders[f"{name.removeprefix('bpf_').upper()}_PLACEHOLDER"]] == number
    assert set(kernel_functions.NAMES) == {*functions, PREEMPTIBLE}
