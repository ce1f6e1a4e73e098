"""All rules, and what they find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kubectl_podtrace import units
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
from kubectl_podtrace.wire.topics import EVERY_TOPIC

RULES: Final[tuple[AnyRule, ...]] = tuple(
    rule
    for module in (
        pod,
        lifecycle,
        processes,
        connections,
        tcp,
        dns,
        queries,
        files,
        descriptors,
        memory,
        cpu,
        locks,
        udp,
        silence,
        stream,
    )
    for rule in module.RULES
)
"""In the order in which findings of the same severity are told."""


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
    doubts = "; ".join(_doubts(rule, seen))
    return Finding(
        rule=rule.slug,
        severity=trouble.severity,
        title=trouble.title,
        fact=trouble.fact,
        evidence=f"{trouble.evidence} (incomplete: {doubts})" if doubts else trouble.evidence,
        next_step=trouble.next_step,
    )


def _doubts(rule: AnyRule, seen: Observations) -> Iterator[str]:
    """What the numbers of a rule's topics lack, for a conclusion must not look firmer than what it rests on."""
    if not rule.topics:
        return
    trust, touching = seen.trust, {*rule.topics, EVERY_TOPIC}
    partial: tuple[Partial, ...] = getattr(rule.section(seen), "partial", ())
    if partial:
        yield f"counted until {units.clock(min(part.until for part in partial))} UTC only"
    if trust.truncated and not seen.is_running:
        yield "the trace was cut off"
    for losses, where in ((trust.lost_by, "lost in the kernel"), (trust.dropped_by, "dropped by the tracer")):
        number = sum(loss.count for loss in losses if loss.topic in touching)
        if number:
            yield f"{units.count(number)} {where}"
    bypassed = sum(bypass.count for bypass in trust.bypassed if touching & set(bypass.topics))
    if bypassed:
        yield f"{units.counted(bypassed, 'operation')} through io_uring not counted"
