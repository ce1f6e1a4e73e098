"""All rules, and what they find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubectl_podtrace.analysis.doubts import doubts_of
from kubectl_podtrace.analysis.findings import (
    connections,
    cpu,
    descriptors,
    dns,
    files,
    lifecycle,
    locks,
    memory,
    pod,
    processes,
    queries,
    silence,
    stream,
    tcp,
    udp,
)
from kubectl_podtrace.analysis.findings.finding import SEVERITIES, AnyRule, Finding, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.partial import Partial

_MODULES: Final = (
    (pod, "kubernetes_events"),
    (lifecycle, "lifecycle"),
    (processes, "descriptors"),
    (connections, "connections"),
    (tcp, "tcp"),
    (dns, "dns"),
    (queries, "queries"),
    (files, "files"),
    (descriptors, "descriptors"),
    (memory, "memory"),
    (cpu, "cpu"),
    (locks, "locks"),
    (udp, "udp"),
    (silence, "summary"),
    (stream, "trust"),
)
"""The modules of rules, and the part of the readable report that has their numbers."""

RULES: Final[tuple[AnyRule, ...]] = tuple(rule for module, _ in _MODULES for rule in module.RULES)
"""In the order in which findings of the same severity are told."""

PART_OF_RULE: Final = {rule.slug: part for module, part in _MODULES for rule in module.RULES}
"""The part of the readable report that has the numbers of a rule, by its slug."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found, most severe first, and the rules that had something to look at."""

    findings: tuple[Finding, ...]
    applied: tuple[AnyRule, ...]


def diagnose(seen: Observations) -> Diagnosis:
    """Asks every rule. A trouble that another rule's finding explains is not told."""
    applied = tuple(rule for rule in RULES if rule.applies(seen))
    raised = {rule.slug: troubles for rule in applied if (troubles := rule.troubles(seen))}
    found = [
        _finding(rule, trouble, seen)
        for rule in applied
        if not rule.explained_by & raised.keys()
        for trouble in raised.get(rule.slug, ())
    ]
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Diagnosis(findings=tuple(found), applied=applied)


def _finding(rule: AnyRule, trouble: Trouble, seen: Observations) -> Finding:
    partial: tuple[Partial, ...] = getattr(rule.section(seen), "partial", ()) if rule.topics else ()
    doubts = "; ".join(doubts_of(seen.trust, rule.topics, partial, is_running=seen.is_running))
    return Finding(
        rule=rule.slug,
        severity=trouble.severity,
        title=trouble.title,
        fact=trouble.fact,
        evidence=f"{trouble.evidence} (incomplete: {doubts})" if doubts else trouble.evidence,
        next_step=trouble.next_step,
    )
