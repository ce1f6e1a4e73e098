"""What a collector declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ProbeSpec:
    """A raw tracepoint. `costs` says what its absence costs; without a `required` one the topic cannot be measured."""

    tracepoint: str
    costs: str
    required: bool = False

    @property
    def name(self) -> str:
        """The name that reports show."""
        return f"raw_tracepoint:{self.tracepoint}"

    @property
    def define(self) -> str:
        """The macro that tells the C text that the kernel has it."""
        return f"PROBE_{self.tracepoint.upper()}"


@dataclass(frozen=True, kw_only=True)
class Collector:
    """The programs of one topic: `sources` are C files in their order, `structs` the kernel's that they read."""

    topic: str
    sources: tuple[str, ...]
    syscalls: frozenset[str] = frozenset()
    probes: tuple[ProbeSpec, ...] = ()
    structs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
