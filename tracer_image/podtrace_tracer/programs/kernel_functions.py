"""Which of the kernel's own functions the programs call, and what stands for each of them in the C text.

clang cannot write a call of a kernel function without BTF of our own: it writes a call of a helper that no kernel has,
and `bpf.py` beside it puts the function's number there before the programs are loaded.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from podtrace_tracer.kernel import kernel_helper
from podtrace_tracer.kernel.btf import Btf

CAST: Final = "bpf_rdonly_cast"
KEEPING_CPU: Final = ("bpf_preempt_disable", "bpf_preempt_enable", "bpf_local_irq_save", "bpf_local_irq_restore")
PREEMPTIBLE: Final = "trace_call_bpf_faultable"
"""No function to call: kernels that have it let programs of tracepoints sleep, and run all of them preemptibly."""

NAMES: Final = (CAST, *KEEPING_CPU, PREEMPTIBLE)
_PLACEHOLDERS: Final = {name: 0x7F00_0001 + number for number, name in enumerate((CAST, *KEEPING_CPU))}


def find(btf: Btf, *, casts: bool, preemptible: bool) -> dict[str, int]:
    """The functions that programs are to call here, with their BTF ids.

    `casts`: bpf_rdonly_cast, where the kernel has it. `preemptible`: those by which a program keeps its CPU.
    """
    found: dict[str, int] = {}
    cast, task = btf.function(CAST), btf.struct("task_struct")
    if casts and cast and task and kernel_helper.casts_are_allowed(cast, task):
        found[CAST] = cast
    keeping = {name: number for name in KEEPING_CPU if (number := btf.function(name)) is not None}
    if preemptible and len(keeping) == len(KEEPING_CPU):
        found |= keeping
    return found


def defines(functions: Collection[str]) -> dict[str, int]:
    """The constants of the C text that say which functions there are, and by which numbers it calls them."""
    values = {f"{name.removeprefix('bpf_').upper()}_PLACEHOLDER": _PLACEHOLDERS[name] for name in functions}
    if CAST in functions:
        values["TYPED_LOADS"] = 1
    if set(KEEPING_CPU) <= set(functions):
        values["KEEP_CPU"] = 1
    return values


def replacements(functions: dict[str, int]) -> dict[int, int]:
    """What the placeholders stand for: number of a helper that does not exist -> BTF id of the function."""
    return {_PLACEHOLDERS[name]: number for name, number in functions.items()}


def are_preemptible(btf: Btf) -> bool:
    """May programs of raw tracepoints be preempted on this kernel?"""
    return btf.function(PREEMPTIBLE) is not None
