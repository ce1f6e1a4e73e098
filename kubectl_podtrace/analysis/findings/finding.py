"""A finding, the trouble that it is about, and the rule that raises it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from kubectl_podtrace.analysis.findings.observations import Observations

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to look at. `rule` names it for programs; `evidence` is its numbers, `fact` the most telling ones."""

    rule: str
    severity: Severity
    title: str
    fact: str
    evidence: str
    next_step: str


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What a rule says: a finding that does not yet know its rule, nor what its numbers lack."""

    severity: Severity
    title: str
    fact: str
    evidence: str
    next_step: str


Section = TypeVar("Section")


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[Section]):
    """One kind of trouble, and how it is told.

    `check` looks at what `section` gives; where that is None, or one of the `tracepoints` that its numbers come from is
    absent, the rule has nothing to look at. `topics` are those whose losses weaken its numbers. A trouble that follows
    from another one is not told twice: while a rule of `explained_by` is raised, this one is silent. `looks_for` says
    in a few words what is not there where nothing is found; `raised`, `severity` and `next_step` are what the
    documentation says.
    """

    slug: str
    looks_for: str
    section: Callable[[Observations], Section | None]
    check: Callable[[Section, Observations], Iterator[Trouble]]
    topics: tuple[str, ...] = ()
    tracepoints: frozenset[str] = frozenset()
    explained_by: frozenset[str] = frozenset()
    raised: str
    severity: str
    next_step: str

    def applies(self, seen: Observations) -> bool:
        """Whether what it looks at was measured."""
        absent = {probe.name.rpartition(":")[2] for probe in seen.trust.probes if not probe.attached}
        return self.section(seen) is not None and not self.tracepoints & absent

    def troubles(self, seen: Observations) -> tuple[Trouble, ...]:
        """What it finds."""
        section = self.section(seen)
        return () if section is None else tuple(self.check(section, seen))


AnyRule = Rule[Any]
