"""What a collector declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from podtrace_tracer.kernel.btf import Btf


@dataclass(frozen=True, kw_only=True)
class ProbeSpec:
    """A raw tracepoint, or a clock that interrupts each CPU (`perf_event`).

    `costs` says what its absence costs; without a `required` one the topic cannot be measured.
    Nothing is missing where the kernel lacks the `feature` (a struct of its) or has the `other` tracepoint instead.
    With `has_copy` its program is attached twice, since the kernel skips a program where an interrupt reaches its
    tracepoint while a process is inside (`include/sockets.bpf.h`).
    `left_out`: why the programs may do without it in some ways of matching the target; empty where that costs nothing.
    """

    tracepoint: str
    costs: str
    required: bool = False
    kind: Literal["raw_tracepoint", "perf_event"] = "raw_tracepoint"
    feature: str = ""
    other: str = ""
    has_copy: bool = False
    left_out: str = ""

    @property
    def name(self) -> str:
        """The name that reports show."""
        return f"{self.kind}:{self.tracepoint}"

    @property
    def define(self) -> str:
        """The macro that tells the C text that the kernel has it."""
        return f"PROBE_{self.tracepoint.upper()}"

    def is_missing(self, btf: Btf) -> bool:
        """Does this kernel lack it, and nothing makes up for it?"""
        if self.kind != "raw_tracepoint":
            return False  # whether the kernel has it shows when it is attached
        if btf.raw_tracepoint(self.tracepoint) is not None or (self.feature and btf.struct(self.feature) is None):
            return False
        return not self.other or btf.raw_tracepoint(self.other) is None


@dataclass(frozen=True, kw_only=True)
class Collector:
    """The programs of one topic: `sources` are C files in their order, `structs` the kernel's that they read."""

    topic: str
    sources: tuple[str, ...]
    syscalls: frozenset[str] = frozenset()
    probes: tuple[ProbeSpec, ...] = ()
    structs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
