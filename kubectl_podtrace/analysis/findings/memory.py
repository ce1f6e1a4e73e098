"""The rule about memory: containers that come near their limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.memory import ContainerMemory, Memory

NEAR_RATIO: Final = 0.9


def _near(section: Memory, _: Observations) -> Iterator[Trouble]:
    for container in section.containers:
        if container.limit_bytes and container.used_ratio is not None and container.used_ratio >= NEAR_RATIO:
            yield _trouble(container, container.limit_bytes, container.used_ratio, section)


def _trouble(container: ContainerMemory, limit_bytes: int, used_ratio: float, section: Memory) -> Trouble:
    whose = f"{container.container} " if container.container else ""
    used = f"{units.size(container.working_set_peak_bytes)} of {units.size(limit_bytes)} ({units.ratio(used_ratio)})"
    faults = f"; {units.counted(section.major_faults, 'page')} read from disk" if section.major_faults else ""
    return Trouble(
        severity="warning",
        title="memory is near its limit",
        fact=f"{whose}{used}",
        evidence=f"{whose}had a working set of {used}{faults}",
        next_step="raise the memory limit, or look for what grows: what the kernel cannot take back (anonymous memory) "
        "gets processes killed",
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="memory-near-limit",
        looks_for="memory near its limit",
        section=lambda seen: seen.sections.memory,
        check=_near,
        topics=("memory",),
        explained_by=frozenset({"container-oom-killed", "processes-oom-killed"}),
        raised=f"the working set of a container reaches {units.ratio_threshold(NEAR_RATIO)} of its memory limit",
        severity="warning",
        next_step="raise the memory limit, or look for what grows",
    ),
)
