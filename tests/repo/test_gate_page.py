"""Every condition that the documents show is one, and means what stands beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_podtrace.report.gate.conditions import parse_condition

FLAG = re.compile(r"--fail-on '([^']+)'")
IN_LINE = re.compile(r"`([a-z_]+\.[\w.]+ (?:[<>]=?|[=!]=) [^`]+)`")
FILE = re.compile(r"^```text\n# gate\.txt[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def conditions(page: Path) -> Iterator[str]:
    text = page.read_text()
    yield from FLAG.findall(text)
    yield from IN_LINE.findall(text)
    for lines in FILE.findall(text):
        yield from (line.partition("#")[0].strip() for line in lines.splitlines() if line.partition("#")[0].strip())


@pytest.mark.parametrize(("name", "least"), [("docs/gate.md", 20), ("README.md", 3)])
def test_every_condition_that_is_shown_can_be_meant(root: Path, name: str, least: int) -> None:
    shown = list(conditions(root / name))
    assert len(shown) >= least
    for text in shown:
        parse_condition(text)
