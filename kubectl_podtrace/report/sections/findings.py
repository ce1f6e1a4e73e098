"""The readable section of the findings: what is wrong, or what was looked for in vain."""

from __future__ import annotations

from kubectl_podtrace.analysis.findings.registry import RULES
from kubectl_podtrace.analysis.findings.silence import NO_EVENTS
from kubectl_podtrace.report.document import Facts, Section
from kubectl_podtrace.report.model import Report

TITLE = "Potential issues"


def findings(report: Report) -> Section:
    """The findings, most severe first, each with its next step."""
    if not report.findings:
        return Section(title=TITLE, blocks=(), empty=_nothing_found(report.looked_for))
    pairs: list[tuple[str, str]] = []
    for finding in report.findings:
        pairs.append((finding.severity, f"{finding.title}: {finding.evidence}"))
        pairs.append(("next step", finding.next_step))
    return Section(title=TITLE, blocks=(Facts(pairs=tuple(pairs)),))


def _nothing_found(looked_for: tuple[str, ...]) -> str:
    kinds = [rule.looks_for for rule in RULES if rule.slug in looked_for and rule.slug != NO_EVENTS]
    return f"none found; looked for {', '.join(kinds)}" if kinds else "none found"
