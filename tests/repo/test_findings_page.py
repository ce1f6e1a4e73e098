"""docs/findings.md has every rule as the code has it. PODTRACE_UPDATE_GOLD=1 writes its table anew."""

from __future__ import annotations

import os
from pathlib import Path

from kubectl_podtrace.analysis.findings.registry import RULES

HEAD = "| rule | raised when | severity | next step | silent while |"


def table() -> str:
    rows = (
        (
            f"`{rule.slug}`",
            rule.raised,
            rule.severity,
            rule.next_step,
            ", ".join(f"`{slug}`" for slug in sorted(rule.explained_by)),
        )
        for rule in RULES
    )
    return "\n".join((HEAD, "| --- | --- | --- | --- | --- |", *(f"| {' | '.join(cells)} |" for cells in rows)))


def test_the_page_has_every_rule_with_its_threshold_severity_and_next_step(root: Path) -> None:
    page = root / "docs/findings.md"
    text = page.read_text()
    before, found = text.split(HEAD)[0], HEAD + text.split(HEAD)[1].split("\n\n")[0]
    if os.environ.get("PODTRACE_UPDATE_GOLD"):
        page.write_text(before + table() + text.removeprefix(before + found))
        found = table()
    assert found == table()
